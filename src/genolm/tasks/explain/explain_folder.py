"""The output folder of `genolm explain`: checks, tables, spooled rows and the results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import polars as pl

from genolm.errors import InputError
from genolm.notes import note
from genolm.tasks.writing.folder_results import FolderResults
from genolm.tasks.writing.output_folders import Form, Spool, output_folder, write_rows

_FILE_SUFFIXES = (".parquet", ".tsv", ".csv", ".png", ".svg", ".pdf", ".bw", ".bigwig", ".html", ".gz")


class Explanation(FolderResults):
    """Tables that explain a model, as the functions in ``genolm.explain`` return them.

    Each function names its `tables`; the first is the `table`.
    """


def check_folder(out: Path | str | None, form: str) -> Path | None:
    """Return the output folder as a path; warn, before anything is computed, if figures cannot be drawn.

    Raises:
        InputError: the name has the suffix of a file, or the format of the tables is unknown.
    """
    if form not in get_args(Form):
        raise InputError(f"invalid format of tables: expected {' or '.join(get_args(Form))}", value=form)
    if out is None:
        return None
    path = Path(out)
    if path.suffix.lower() in _FILE_SUFFIXES:
        raise InputError("explain writes a folder: give a name without a file suffix", file=path)
    if missing := _missing_package():
        note(f"{missing} is not installed, so no figures will be drawn: pip install 'genolm[plots]'")
    return path


def can_draw() -> bool:
    """Return whether figures can be drawn; note it if not."""
    if missing := _missing_package():
        note(f"no figures were drawn: {missing} is not installed")
    return missing is None


@contextmanager
def spooled_folder(
    out: Path, metadata: Mapping[str, str], frames: Iterable[pl.DataFrame]
) -> Iterator[tuple[Path, Spool]]:
    """Open an output folder and spool the frames into it so that they can be read repeatedly."""
    with output_folder(out, metadata) as folder:
        spool = Spool(folder / ".rows", frames)
        yield folder, spool
        spool.remove()


def write_tables(tables: Mapping[str, pl.DataFrame], folder: Path, form: Form) -> None:
    """Write each table to a file of its name."""
    for name, table in tables.items():
        write_rows([table], folder, name, form)


def _missing_package() -> str | None:
    try:
        import logomaker  # noqa: F401
        import matplotlib  # noqa: F401
    except ImportError as error:
        return error.name
    return None
