"""Writers of tables: parquet, TSV and CSV, part by part with reproducible bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from polars.io.plugins import register_io_source

from genolm.errors import InputError
from genolm.files.atomic import atomic_file, write_text
from genolm.tasks.writing.provenance import provenance_path

if TYPE_CHECKING:
    from polars._typing import PolarsDataType

SUFFIXES = (".parquet", ".tsv", ".csv")
_ROWS = 65_536  # rows of a row group; fixed, so that the bytes do not depend on the parts


def check_suffix(out: Path | str | None, suffixes: tuple[str, ...]) -> Path | None:
    """Return the output as a path.

    Raises:
        InputError: if its ending is not supported; the message lists the supported endings.
    """
    if out is None:
        return None
    path = Path(out)
    if str(path) == "-":
        raise InputError(f"standard output is not supported; name a file that ends in {', '.join(suffixes)}")
    if not path.name.lower().endswith(suffixes):
        raise InputError(
            f"unsupported output format; use one of {', '.join(suffixes)}", file=path, code="unknown-format"
        )
    return path


def read_written(path: Path, schema: Mapping[str, PolarsDataType]) -> pl.DataFrame:
    """Read a table that :func:`write_table` wrote.

    Args:
        path: ``.parquet``, ``.tsv`` or ``.csv``.
        schema: types of columns of a text table; others are inferred.
    """
    if path.suffix.lower() == ".parquet":
        return pl.read_parquet(path, glob=False)
    separator = "," if path.suffix.lower() == ".csv" else "\t"
    return pl.read_csv(path, glob=False, separator=separator, schema_overrides=schema, infer_schema_length=None)


def read_metadata(path: Path) -> dict[str, str]:
    """Return the provenance of a written table; empty if there is none."""
    if path.suffix.lower() == ".parquet":
        with path.open("rb") as file:  # polars interprets brackets in file names as patterns
            metadata = pl.read_parquet_metadata(file)
        return {name: value for name, value in metadata.items() if not name.startswith("ARROW")}
    try:
        return {str(name): str(value) for name, value in json.loads(provenance_path(path).read_text("utf-8")).items()}
    except (OSError, ValueError, AttributeError):
        return {}


def write_table(frames: Iterator[pl.DataFrame], out: Path, metadata: Mapping[str, str]) -> None:
    """Write rows as a table, atomically and with one part in memory at a time.

    Args:
        frames: rows in order; at least one frame, which may be empty.
        out: ``.parquet``, ``.tsv`` or ``.csv``.
        metadata: provenance; key-value metadata of a parquet file, ``OUT.provenance.json`` of a text table.
    """
    if out.suffix.lower() == ".parquet":
        _write_parquet(frames, out, metadata)
    else:
        write_delimited(frames, out, "," if out.suffix.lower() == ".csv" else "\t")
        write_provenance(out, metadata)


def write_provenance(out: Path, metadata: Mapping[str, str]) -> None:
    """Write ``OUT.provenance.json``."""
    write_text(provenance_path(out), json.dumps(dict(metadata), indent=1, ensure_ascii=False) + "\n")


def write_delimited(frames: Iterator[pl.DataFrame], out: Path, separator: str) -> None:
    """Write rows as text with a header line; missing values are empty fields."""
    with atomic_file(out) as partial, partial.open("wb") as file:
        for number, frame in enumerate(frames):
            frame.write_csv(file, include_header=number == 0, separator=separator)


def _write_parquet(frames: Iterator[pl.DataFrame], out: Path, metadata: Mapping[str, str]) -> None:
    first = next(frames)
    rows = register_io_source(_io_source(chain((first,), frames)), schema=first.schema)
    with atomic_file(out) as partial:
        rows.sink_parquet(
            partial, compression="zstd", row_group_size=_ROWS, maintain_order=True, metadata=dict(metadata)
        )


def _io_source(
    frames: Iterator[pl.DataFrame],
) -> Callable[[list[str] | None, pl.Expr | None, int | None, int | None], Iterator[pl.DataFrame]]:
    """Return a polars source of the frames; it ignores projections and limits, which sinking does not use."""

    def read(
        columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, batch: int | None
    ) -> Iterator[pl.DataFrame]:
        return frames

    return read
