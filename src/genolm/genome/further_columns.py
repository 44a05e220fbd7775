"""Columns of a user's table that genolm does not use, such as labels and groups, and copies to its output.

Missing values (see `genolm.genome.tabular.present`) stay missing. Types are kept: those of parquet files and tables in
memory as they are; a column of a text table is of integers, numbers or Booleans if all its values are (``007`` and
integers of more than 18 digits are strings). Dates and other types that not every output format supports become
strings. Columns of lists and other nested types are omitted with a warning.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from genolm.genome.input_values import SequenceRecord
from genolm.genome.tabular import Frame, known_places, present, read_every_column
from genolm.notes import note

PREFIX = "input_"
"""Prefix of a column whose name is also an output column of genolm."""

_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})").fullmatch
_NUMBER = re.compile(r"-?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][+-]?[0-9]+)?").fullmatch
_TRUTH = {"true": True, "false": False}
_KEPT = frozenset(str(kind) for kind in (*pl.datatypes.group.INTEGER_DTYPES, pl.Float32, pl.Float64, pl.Boolean))


@dataclass(frozen=True, slots=True)
class FurtherColumn:
    """A column that is copied to the output.

    Attributes:
        name: name in the output.
        dtype: name of the polars type, such as ``Int64``.
        place: index of the column in the table, 0-based.
    """

    name: str
    dtype: str
    place: int

    @property
    def type(self) -> pl.DataType:
        """The polars type."""
        kind: type[pl.DataType] = getattr(pl, self.dtype)
        return kind()

    def value(self, value: Any) -> Any:
        """Convert a value of the table to the type of the output; None if it is missing."""
        if present(value) is None:
            return None
        if not isinstance(value, str) and self.dtype != "String":
            return value
        return _CONVERTED.get(self.dtype, str)(value)


def further_columns(source: Path | Frame, used: Collection[str], own: Collection[str]) -> tuple[FurtherColumn, ...]:
    """Return the columns of a table to copy to the output, in order.

    A name that is also an output column of genolm gets the prefix ``input_``; a duplicate name gets ``_2``, ``_3`` and
    so on; an unnamed column is called ``column_1`` by its number.

    Args:
        source: path of a table, or a polars or pandas table.
        used: columns that genolm reads, by the names of `genolm.genome.tabular.COLUMNS`.
        own: names of the output columns of genolm.

    Raises:
        InputError: the table cannot be read.

    Notes:
        Columns of lists, structures or bytes are omitted.
    """
    table = read_every_column(source)
    taken = {place for name, place in known_places(table.columns, table.file).items() if name in used}
    places = [place for place in range(len(table.columns)) if place not in taken]
    types = _types(source, places, table.rows)
    left_out = [table.columns[place] for place, kind in zip(places, types) if kind is None]
    if left_out:
        note(f"{table.file}: columns of lists are omitted: {', '.join(left_out)}")
    kept = [(place, kind) for place, kind in zip(places, types) if kind is not None]
    names = _names([(place, table.columns[place]) for place, _ in kept], own)
    return tuple(FurtherColumn(name, kind, place) for name, (place, kind) in zip(names, kept))


def further_rows(source: Path | Frame, columns: Sequence[FurtherColumn]) -> Iterator[tuple[Any, ...]]:
    """Yield the values of these columns, row by row.

    Raises:
        InputError: the table cannot be read.
    """
    for _, row in read_every_column(source).rows:
        yield tuple(column.value(row[column.place]) for column in columns)


def with_further(
    records: Iterator[SequenceRecord], source: Path | Frame, columns: Sequence[FurtherColumn]
) -> Iterator[SequenceRecord]:
    """Yield the records of a table with the values of these columns in their rows.

    Args:
        records: records of the table, in the order of its rows.
        source: the table.
        columns: columns of the table.
    """
    rows, values, number = further_rows(source, columns), (), -1
    for record in records:
        while record.row is not None and number < record.row:
            values, number = next(rows), number + 1
        yield replace(record, further=values)


def further_series(columns: Sequence[FurtherColumn], rows: Sequence[tuple[Any, ...]]) -> dict[str, pl.Series]:
    """Return rows as columns by name; an empty row (``()``) gives missing values."""
    return {
        column.name: pl.Series(column.name, [row[n] if row else None for row in rows], dtype=column.type, strict=False)
        for n, column in enumerate(columns)
    }


def _truth(text: str) -> bool:
    return _TRUTH[text.strip().lower()]


_CONVERTED: dict[str, Callable[[Any], Any]] = {"Int64": int, "Float64": float, "Boolean": _truth}


def _names(columns: Iterable[tuple[int, str]], own: Collection[str]) -> list[str]:
    names: list[str] = []
    for place, name in columns:
        plain = name.strip().lstrip("#") or f"column_{place + 1}"
        plain = f"{PREFIX}{plain}" if plain in own else plain
        count, free = 1, plain
        while free in names or free in own:
            count += 1
            free = f"{plain}_{count}"
        names.append(free)
    return names


def _types(source: Path | Frame, places: Sequence[int], rows: Iterable[tuple[int, Sequence[Any]]]) -> list[str | None]:
    """Return the polars type of each column; None for unsupported types."""
    declared = _declared(source)
    if declared is not None:
        return [_kept_type(declared[place]) for place in places]
    kinds: list[set[str]] = [set() for _ in places]
    for _, row in rows:
        for kind, place in zip(kinds, places):
            if present(row[place]) is not None:
                kind.add(_kind(row[place]))
    return [_common(kind) for kind in kinds]


def _declared(source: Path | Frame) -> list[pl.DataType] | None:
    """Return the types of a polars table or a parquet file; None if they must be inferred from values."""
    if isinstance(source, pl.DataFrame):
        return source.dtypes
    if isinstance(source, Path) and source.suffix.lower() == ".parquet":
        with source.open("rb") as file:  # polars expands brackets in file names as patterns
            return list(pl.read_parquet_schema(file).values())
    return None


def _kept_type(kind: pl.DataType) -> str | None:
    if kind.is_nested() or kind in (pl.Binary, pl.Object):
        return None
    return str(kind) if str(kind) in _KEPT else "String"


def _kind(value: Any) -> str:
    if isinstance(value, str):
        text = value.strip()
        if _WHOLE(text):
            return "Int64"
        if _NUMBER(text):
            return "Float64"
        return "Boolean" if text.lower() in _TRUTH else "String"
    for kind, types in (("Boolean", "bool"), ("Int64", "int"), ("Float64", "float")):
        if type(value).__name__.startswith((types, f"u{types}")):
            return kind
    return "" if isinstance(value, list | tuple | dict | bytes) or hasattr(value, "__array__") else "String"


def _common(kinds: set[str]) -> str | None:
    """Return the common type of values of these types."""
    if "" in kinds:
        return None
    if kinds == {"Int64", "Float64"}:
        return "Float64"
    return next(iter(kinds)) if len(kinds) == 1 else "String"
