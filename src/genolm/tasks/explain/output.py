"""The folder that explain writes: is its name one, and can its pictures be drawn."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from genolm.errors import GenolmError, InputError
from genolm.tasks.folders import Form

_FILES = (".parquet", ".tsv", ".csv", ".png", ".svg", ".pdf", ".bw", ".bigwig", ".html", ".gz")


def check_folder(out: Path | str | None, form: str) -> Path | None:
    """The output folder, after looking whether its pictures can be drawn.

    Raises:
        InputError: a name with the ending of a file, or an unknown form of tables.
        GenolmError: matplotlib or logomaker is not installed.
    """
    if form not in get_args(Form):
        raise InputError(f"tables are written as {' or '.join(get_args(Form))}", value=form)
    if out is None:
        return None
    path = Path(out)
    if path.suffix.lower() in _FILES:
        raise InputError("explain writes a folder; give a name without an ending", file=path)
    try:
        import logomaker  # noqa: F401
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise GenolmError(f"pictures need {error.name}, which is not installed: pip install 'genolm[plots]'") from None
    return path
