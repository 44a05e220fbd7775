"""Tables as artefacts: parquet, TSV and CSV, written part by part with the same bytes every time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from pathlib import Path

import polars as pl
from polars.io.plugins import register_io_source

from genolm.errors import InputError
from genolm.files.atomic import atomic_file, write_text
from genolm.tasks.writing.provenance import provenance_path

SUFFIXES = (".parquet", ".tsv", ".csv")
_ROWS = 65_536  # of a row group; fixed, so that the bytes do not depend on how rows came in parts


def check_suffix(out: Path | str | None, suffixes: tuple[str, ...]) -> Path | None:
    """The output as a path.

    Raises:
        InputError: its suffix names no format that the verb writes; the message lists those.
    """
    if out is None:
        return None
    path = Path(out)
    if str(path) == "-":
        raise InputError(f"cannot write to standard output; name a file that ends in {', '.join(suffixes)}")
    if not path.name.lower().endswith(suffixes):
        raise InputError(f"unknown kind of output; known endings are {', '.join(suffixes)}", file=path)
    return path


def write_table(frames: Iterator[pl.DataFrame], out: Path, metadata: Mapping[str, str]) -> None:
    """Writes rows as a table, whole or not at all, holding one part in memory at a time.

    Args:
        frames: the rows in their order; at least one frame, empty ones allowed.
        out: ``.parquet``, ``.tsv`` or ``.csv``.
        metadata: key-value metadata of a parquet file; of text tables a ``.provenance.json`` beside them.
    """
    if out.suffix.lower() == ".parquet":
        _write_parquet(frames, out, metadata)
    else:
        write_delimited(frames, out, "," if out.suffix.lower() == ".csv" else "\t")
        write_provenance(out, metadata)


def write_provenance(out: Path, metadata: Mapping[str, str]) -> None:
    """Writes ``OUT.provenance.json``."""
    write_text(provenance_path(out), json.dumps(dict(metadata), indent=1, ensure_ascii=False) + "\n")


def write_delimited(frames: Iterator[pl.DataFrame], out: Path, separator: str) -> None:
    """Writes rows as text with one header line; missing values are empty fields."""
    with atomic_file(out) as partial, partial.open("wb") as file:
        for number, frame in enumerate(frames):
            frame.write_csv(file, include_header=number == 0, separator=separator)


def _write_parquet(frames: Iterator[pl.DataFrame], out: Path, metadata: Mapping[str, str]) -> None:
    first = next(frames)
    rows = register_io_source(_feeding(chain((first,), frames)), schema=first.schema)
    with atomic_file(out) as partial:
        rows.sink_parquet(
            partial, compression="zstd", row_group_size=_ROWS, maintain_order=True, metadata=dict(metadata)
        )


def _feeding(
    frames: Iterator[pl.DataFrame],
) -> Callable[[list[str] | None, pl.Expr | None, int | None, int | None], Iterator[pl.DataFrame]]:
    """A source for polars that gives the frames as they are; nothing is ever asked of it but all of them."""

    def feed(
        columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, batch: int | None
    ) -> Iterator[pl.DataFrame]:
        return frames

    return feed
