"""Columns of a user's table that genolm does not read itself, such as labels and groups, to be kept in its outputs.

Missing values (see `genolm.genome.tabular.present`) stay missing. Types survive: those of parquet and of tables in
memory are kept, and a column of a text table holds whole numbers, numbers or true/false if all of its values are such
(``007`` and whole numbers of more than 18 digits are texts). Dates and other types without a counterpart in every
output become texts; columns of lists and the like are left out, with a warning.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from genolm.genome.sequences import SequenceRecord
from genolm.genome.tabular import known_places, present, read_every_column

PREFIX = "input_"
"""Prefix of a column whose name genolm's own output uses too."""

_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})").fullmatch
_NUMBER = re.compile(r"-?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][+-]?[0-9]+)?").fullmatch
_TRUTH = {"true": True, "false": False}
_KEPT = frozenset(str(kind) for kind in (*pl.datatypes.group.INTEGER_DTYPES, pl.Float32, pl.Float64, pl.Boolean))


@dataclass(frozen=True, slots=True)
class FurtherColumn:
    """A column that is kept.

    Attributes:
        name: its name in the output.
        dtype: name of its polars type, as ``Int64``.
        place: which column of the table it is, from 0.
    """

    name: str
    dtype: str
    place: int

    @property
    def type(self) -> pl.DataType:
        """Its polars type."""
        kind: type[pl.DataType] = getattr(pl, self.dtype)
        return kind()

    def value(self, value: Any) -> Any:
        """Return a value of the table as it is written; None for a missing one."""
        if present(value) is None:
            return None
        if not isinstance(value, str) and self.dtype != "String":
            return value
        return _CONVERTED.get(self.dtype, str)(value)


def further_columns(source: Any, used: Collection[str], own: Collection[str]) -> tuple[FurtherColumn, ...]:
    """Return the columns of a table that are kept, in its order.

    A column gets the prefix ``input_`` where its name is one of genolm's own; a name that occurs again gets ``_2``,
    ``_3`` and so on; a column without a name is called by its number, ``column_1``.

    Args:
        source: a path of a table, or a table of polars or pandas.
        used: the columns that genolm reads, by the names of `genolm.genome.tabular.COLUMNS`.
        own: names of the columns that genolm writes.

    Raises:
        InputError: the table cannot be read.

    Warns:
        UserWarning: columns of lists, structures or bytes are left out.
    """
    table = read_every_column(source)
    taken = {place for name, place in known_places(table.columns, table.file).items() if name in used}
    places = [place for place in range(len(table.columns)) if place not in taken]
    types = _types(source, places, table.rows)
    left_out = [table.columns[place] for place, kind in zip(places, types) if kind is None]
    if left_out:
        warnings.warn(f"{table.file}: columns of lists are not kept: {', '.join(left_out)}", stacklevel=3)
    kept = [(place, kind) for place, kind in zip(places, types) if kind is not None]
    names = _names([(place, table.columns[place]) for place, _ in kept], own)
    return tuple(FurtherColumn(name, kind, place) for name, (place, kind) in zip(names, kept))


def further_rows(source: Any, columns: Sequence[FurtherColumn]) -> Iterator[tuple[Any, ...]]:
    """Yield the values of these columns, row by row.

    Raises:
        InputError: the table cannot be read.
    """
    for _, row in read_every_column(source).rows:
        yield tuple(column.value(row[column.place]) for column in columns)


def with_further(
    records: Iterator[SequenceRecord], source: Any, columns: Sequence[FurtherColumn]
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
    """Return the columns of some rows by name; a row without values (``()``) has none in any column."""
    return {
        column.name: pl.Series(column.name, [row[n] if row else None for row in rows], dtype=column.type, strict=False)
        for n, column in enumerate(columns)
    }


def _truth(text: str) -> bool:
    return _TRUTH[text.strip().lower()]


_CONVERTED: dict[str, Callable[[Any], Any]] = {"Int64": int, "Float64": float, "Boolean": _truth}


def _names(columns: Iterable[tuple[int, str]], own: Collection[str]) -> list[str]:
    found: list[str] = []
    for place, name in columns:
        plain = name.strip().lstrip("#") or f"column_{place + 1}"
        plain = f"{PREFIX}{plain}" if plain in own else plain
        count, free = 1, plain
        while free in found or free in own:
            count += 1
            free = f"{plain}_{count}"
        found.append(free)
    return found


def _types(source: Any, places: Sequence[int], rows: Iterable[tuple[int, Sequence[Any]]]) -> list[str | None]:
    """The polars type of each column; None for one that cannot be kept."""
    declared = _declared(source)
    if declared is not None:
        return [_kept_type(declared[place]) for place in places]
    kinds: list[set[str]] = [set() for _ in places]
    for _, row in rows:
        for kind, place in zip(kinds, places):
            if present(row[place]) is not None:
                kind.add(_kind(row[place]))
    return [_common(kind) for kind in kinds]


def _declared(source: Any) -> list[pl.DataType] | None:
    """The types of a polars table or a parquet file; None for a table whose values must be looked at."""
    if isinstance(source, pl.DataFrame):
        return source.dtypes
    if isinstance(source, Path) and source.suffix.lower() == ".parquet":
        with source.open("rb") as file:  # polars reads brackets in the name of a file as patterns
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
    """The type that holds values of all these kinds."""
    if "" in kinds:
        return None
    if kinds == {"Int64", "Float64"}:
        return "Float64"
    return next(iter(kinds)) if len(kinds) == 1 else "String"
