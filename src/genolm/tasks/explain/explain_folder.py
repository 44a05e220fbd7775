"""The folder that explain writes: its name, and whether pictures can be drawn into it."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import polars as pl

from genolm.errors import InputError
from genolm.tasks.writing.output_folders import Form, Spool, whole_folder, write_rows

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
    if missing := _missing():
        warnings.warn(
            f"{missing} is not installed, so no pictures will be drawn: pip install 'genolm[plots]'", stacklevel=3
        )
    return path


def can_draw() -> bool:
    """Return whether pictures can be drawn; where they cannot, warn that there are none beside the tables."""
    if missing := _missing():
        warnings.warn(f"no pictures were drawn, since {missing} is not installed", stacklevel=2)
    return missing is None


@contextmanager
def spooled_folder(
    out: Path, metadata: Mapping[str, str], frames: Iterable[pl.DataFrame]
) -> Iterator[tuple[Path, Spool]]:
    """Open an output folder and spool the frames into it, to be read several times; remove the spool at the end."""
    with whole_folder(out, metadata) as folder:
        spool = Spool(folder / ".rows", frames)
        yield folder, spool
        spool.remove()


def write_tables(tables: Mapping[str, pl.DataFrame], folder: Path, form: Form) -> None:
    """Write each table to a file of its name."""
    for name, table in tables.items():
        write_rows([table], folder, name, form)


def _missing() -> str | None:
    try:
        import logomaker  # noqa: F401
        import matplotlib  # noqa: F401
    except ImportError as error:
        return error.name
    return None
