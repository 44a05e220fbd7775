"""Rows of tables (TSV, CSV, text, parquet, or in memory) under the column names we know."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import polars as pl

from genolm.errors import InputError
from genolm.genome.formats import file_format, uncompressed_suffix
from genolm.genome.lines import open_bytes, text_lines

_ALIASES = {
    "seq": "sequence",
    "chr": "chrom", "chromosome": "chrom", "region": "chrom",
    "start0": "start", "chromstart": "start", "chromend": "end",
    "position": "pos",
}  # fmt: skip
COLUMNS = ("id", "name", "sequence", "chrom", "start", "end", "strand", "pos", "ref", "alt", "variant")
"""The columns that are read; others are left alone."""

_SEQUENCE_LETTERS = frozenset("ACGTURYSWKMBDHVNacgturyswkmbdhvn")


@dataclass(frozen=True, slots=True)
class Table:
    """The known columns of a table and its rows, which can be read once.

    Attributes:
        file: where it comes from; ``table`` when it was in memory.
        columns: which of `COLUMNS` it has, in the table's order.
        rows: ``(line, values of the columns)``; the line of a text file, or the row of another table, from 1.
        header: all column names as they were read, for messages.
    """

    file: Path
    columns: tuple[str, ...]
    rows: Iterator[tuple[int, Sequence[Any]]]
    header: str = ""

    def has(self, *names: str) -> bool:
        """Whether all of these columns are there."""
        return all(name in self.columns for name in names)

    def pick(self, *names: str) -> Iterator[tuple[int, tuple[Any, ...]]]:
        """Yields ``(line, values)`` of these columns; None for a column the table lacks."""
        places = [self.columns.index(name) if name in self.columns else None for name in names]
        for line, values in self.rows:
            yield line, tuple(None if place is None else values[place] for place in places)


def is_table(source: object) -> bool:
    """Whether a value in memory is a table of polars or pandas."""
    return hasattr(source, "columns") and hasattr(source, "__getitem__")


def read_table(source: Any) -> Table:
    """Opens a table: a path, or a polars or pandas frame; one that is open already comes back.

    Column names are matched whatever their case; ``#CHROM``, ``chr``, ``seq``, ``start0`` and the like are understood.
    A text file whose first line is nothing but DNA letters holds one sequence a line.

    Raises:
        InputError: an empty or damaged file, a column named twice, or (while rows are read) a line with more or fewer
            fields than the header.
    """
    if isinstance(source, Table):
        return source
    if is_table(source):
        return _in_memory(source)
    path = Path(source)
    return _parquet(path) if file_format(path) == "parquet" else _text(path)


def read_every_column(source: Any) -> Table:
    """Open a table with all its columns, those that we do not know too; ``columns`` are its names as they were read.

    Raises:
        InputError: as :func:`read_table`.
    """
    if is_table(source):
        names = tuple(str(name) for name in source.columns)
        columns = [list(source[name]) for name in source.columns]
        return Table(Path("table"), names, enumerate(zip(*columns), start=1))
    path = Path(source)
    return _parquet(path, every=True) if file_format(path) == "parquet" else _text(path, every=True)


def known_places(names: Iterable[str], path: Path) -> dict[str, int]:
    """Return which columns we know, by our name for each (`COLUMNS`).

    Raises:
        InputError: two columns mean the same.
    """
    return _known(names, path)


def whole(value: object, name: str) -> int:
    """A coordinate out of a table, as a number or as text (thousands separators allowed).

    Raises:
        InputError: it is no whole number.
    """
    if isinstance(value, float) and value.is_integer():  # pandas keeps integers beside missing values as floats
        return int(value)
    text = "" if value is None else str(value).strip().replace(",", "")
    if text in ("", "."):
        raise InputError(f"column {name} is empty here")
    if not text.removeprefix("-").isdecimal():
        raise InputError(f"column {name} must hold whole numbers", value=value)
    return int(text)


def _in_memory(frame: Any) -> Table:
    names = [str(name) for name in frame.columns]
    places = _known(names, Path("table"))
    columns = [list(frame[frame.columns[place]]) for place in places.values()]
    return Table(Path("table"), tuple(places), enumerate(zip(*columns), start=1), ", ".join(names))


def _parquet(path: Path, every: bool = False) -> Table:
    with open_bytes(path) as file:
        head = file.read(4)
        if head == b"PAR1":
            file.seek(-4, io.SEEK_END)
        tail = file.read(4)
    if head != b"PAR1":
        raise InputError("not a parquet file", file=path)
    if tail != b"PAR1":
        raise InputError("the parquet file is cut off; fetch it again", file=path)
    try:
        names = list(pl.read_parquet_schema(path))
        places = dict(zip(names, range(len(names)))) if every else _known(names, path)
        frame = pl.read_parquet(path, columns=list(places.values())) if places else pl.DataFrame()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"the parquet file is damaged: {error}", file=path) from None
    frame = frame.select(names[place] for place in places.values())
    return Table(path, tuple(places), enumerate(frame.iter_rows(), start=1), ", ".join(names))


def _text(path: Path, every: bool = False) -> Table:
    lines = ((number, line) for number, line in text_lines(path) if line.strip() and not line.startswith("##"))
    number, header = next(lines, (0, ""))
    if not header:
        raise InputError("the table is empty", file=path)
    if _SEQUENCE_LETTERS.issuperset(header.strip()):
        return Table(path, ("sequence",), ((line, (text.strip(),)) for line, text in chain([(number, header)], lines)))
    delimiter = _delimiter(path, header)
    names = _fields(header.lstrip("#"), delimiter, path, number)
    if every:
        return Table(path, tuple(names), _rows(lines, delimiter, names, range(len(names)), path), header)
    places = _known(names, path)
    return Table(path, tuple(places), _rows(lines, delimiter, names, tuple(places.values()), path), header)


def _rows(
    lines: Iterable[tuple[int, str]], delimiter: str, names: Sequence[str], places: Sequence[int], path: Path
) -> Iterator[tuple[int, Sequence[str]]]:
    for number, line in lines:
        fields = _fields(line, delimiter, path, number)
        if len(fields) != len(names):
            raise InputError(f"{len(fields)} fields under a header of {len(names)}", file=path, line=number, value=line)
        yield number, [fields[place] for place in places]


def _delimiter(path: Path, header: str) -> str:
    if uncompressed_suffix(path) == ".txt":
        return "\t" if "\t" in header else ","
    return "," if uncompressed_suffix(path) == ".csv" else "\t"


def _fields(line: str, delimiter: str, path: Path, number: int) -> list[str]:
    if delimiter == "\t" or '"' not in line:
        return line.split(delimiter)
    try:
        return next(csv.reader([line], strict=True))
    except csv.Error as error:
        raise InputError(f"quotes that do not fit: {error}", file=path, line=number, value=line) from None


def _known(names: Iterable[str], path: Path) -> dict[str, int]:
    """Where each column we know stands, by our name for it."""
    places: dict[str, int] = {}
    for place, name in enumerate(names):
        plain = name.strip().lstrip("#").lower()
        plain = _ALIASES.get(plain, plain)
        if plain in COLUMNS:
            if plain in places:
                raise InputError(f"two columns mean {plain!r}", file=path, value=name)
            places[plain] = place
    return places
