"""The folder that explain writes: its name, and whether pictures can be drawn into it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import get_args

from genolm.errors import InputError
from genolm.tasks.folders import Form

_FILES = (".parquet", ".tsv", ".csv", ".png", ".svg", ".pdf", ".bw", ".bigwig", ".html", ".gz")


def check_folder(out: Path | str | None, form: str) -> Path | None:
    """Return the output folder; warn, before anything is computed, where no pictures can be drawn into it.

    Raises:
        InputError: a name with the ending of a file, or an unknown form of tables.
    """
    if form not in get_args(Form):
        raise InputError(f"tables are written as {' or '.join(get_args(Form))}", value=form)
    if out is None:
        return None
    path = Path(out)
    if path.suffix.lower() in _FILES:
        raise InputError("explain writes a folder; give a name without an ending", file=path)
    can_draw()
    return path


def can_draw() -> bool:
    """Return whether pictures can be drawn; where they cannot, warn and say how to install what is missing.

    Tables are written all the same.
    """
    try:
        import logomaker  # noqa: F401
        import matplotlib  # noqa: F401
    except ImportError as error:
        warnings.warn(
            f"{error.name} is not installed, so no pictures are drawn: pip install 'genolm[plots]'",
            stacklevel=1,  # one place, so that Python says it once
        )
        return False
    return True
