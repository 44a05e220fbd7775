"""Reader of tables (TSV, CSV, text, parquet, or in memory) with standardised column names."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import polars as pl

from genolm.errors import InputError
from genolm.files.lines import open_bytes, text_lines
from genolm.genome.formats import file_format, uncompressed_suffix
from genolm.genome.interval import is_coordinate

_ALIASES = {
    "seq": "sequence",
    "chr": "chrom", "chromosome": "chrom", "region": "chrom",
    "start0": "start", "chromstart": "start", "chromend": "end",
    "position": "pos",
}  # fmt: skip
COLUMNS = ("id", "name", "sequence", "chrom", "start", "end", "strand", "pos", "ref", "alt", "variant")
"""The columns that are read; others are ignored."""

SEQUENCE_LETTERS = frozenset("ACGTURYSWKMBDHVNacgturyswkmbdhvn")
"""Letters of DNA and RNA, including ambiguity codes and lower case."""

_MISSING = frozenset(("", ".", "NA", "NaN", "nan", "NaT", "<NA>", "None", "null", "NULL", "N/A", "n/a", "#N/A"))
_LONGEST_WORD = 8
"""Maximum length of a first line that may be a column name rather than a sequence: ``tag``, ``dna``, ``cds``."""
_COMPARED = 20
"""Number of lines that the first line is compared with."""


@runtime_checkable
class Frame(Protocol):
    """A table of polars or pandas."""

    @property
    def columns(self) -> Iterable[str]:
        """Names of the columns."""

    def __getitem__(self, name: str, /) -> Iterable[Any]:
        """Return the values of a column."""


@dataclass(frozen=True, slots=True)
class Table:
    """The known columns and the rows of a table; the rows can be read once.

    Attributes:
        file: the file; ``table`` for a table in memory.
        columns: known columns, in the order of the table.
        rows: ``(line, values of the columns)``, with the line of a text file or the row of another table, 1-based.
        header: original column names, for messages.
    """

    file: Path
    columns: tuple[str, ...]
    rows: Iterator[tuple[int, Sequence[Any]]]
    header: str = ""

    def has(self, *names: str) -> bool:
        """Return whether the table has all these columns."""
        return all(name in self.columns for name in names)

    def pick(self, *names: str) -> Iterator[tuple[int, tuple[Any, ...]]]:
        """Yield ``(line, values)`` of these columns, with None for missing values and columns."""
        indexes = [self.columns.index(name) if name in self.columns else None for name in names]
        for line, values in self.rows:
            yield line, tuple(None if index is None else present(values[index]) for index in indexes)


def read_table(source: str | Path | Frame | Table) -> Table:
    """Open a table: a path, or a polars or pandas table; an open `Table` is returned as it is.

    Column names are case-insensitive; ``#CHROM``, ``chr``, ``seq``, ``start0`` and similar names are recognised. CSV
    and TSV use the same quoting: a field that starts with ``"`` ends with ``"``, and ``""`` inside is a quote. An
    unnamed first column (the row names of R) is ignored. A ``.txt`` file whose first line consists of DNA letters has
    one sequence per line; ``.csv`` and ``.tsv`` files must have a header.

    Raises:
        InputError: the file is empty or damaged, has no header, a first line that may be a header or a sequence, or a
            duplicate column; or, while rows are read, a line has another number of fields than the header.
    """
    if isinstance(source, Table):
        return source
    if isinstance(source, Frame):
        return _in_memory(source)
    path = Path(source)
    return _parquet(path) if file_format(path) == "parquet" else _text(path)


def present(value: object) -> Any:
    """Return the value, or None if it is missing.

    Missing values are None, NaN (of Python and numpy), ``pd.NA``, ``pd.NaT`` and, ignoring white space, the texts
    ``.``, ``NA``, ``NaN``, ``nan``, ``NaT``, ``<NA>``, ``None``, ``null``, ``NULL``, ``N/A``, ``n/a``,
    ``#N/A`` and empty text.
    """
    return None if str(value).strip() in _MISSING else value


def required(value: object, name: str) -> str:
    """Return a value of a table as text; whole numbers that pandas stores as floats (22.0) lose the ``.0``.

    Raises:
        InputError: it is missing.
    """
    found = present(value)
    if found is None:
        raise InputError(f"column {name} is empty here")
    if isinstance(found, Real) and not isinstance(found, Integral) and float(found).is_integer():
        found = int(float(found))
    return str(found).strip()


def read_every_column(source: str | Path | Frame) -> Table:
    """Open a table with all columns; ``columns`` are the original names.

    Raises:
        InputError: as :func:`read_table`.
    """
    if isinstance(source, Frame):
        names = tuple(str(name) for name in source.columns)
        columns = [list(source[name]) for name in source.columns]
        return Table(Path("table"), names, enumerate(zip(*columns), start=1))
    path = Path(source)
    return _parquet(path, every=True) if file_format(path) == "parquet" else _text(path, every=True)


def whole(value: object, name: str) -> int:
    """Return a coordinate of a table, given as a number or text (thousands separators allowed).

    Raises:
        InputError: the value is not a whole number.
    """
    digits = required(value, name).replace(",", "")
    if not is_coordinate(digits.removeprefix("-")):
        raise InputError(f"column {name} must hold whole numbers", value=str(value))
    return int(digits)


def _in_memory(frame: Frame) -> Table:
    labels = list(frame.columns)
    names = [str(name) for name in labels]
    places = known_places(names, Path("table"))
    columns = [list(frame[labels[place]]) for place in places.values()]
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
        raise InputError("the parquet file is truncated; download it again", file=path, code="damaged-file")
    try:
        with path.open("rb") as file:  # polars expands brackets and asterisks in file names as patterns
            names = list(pl.read_parquet_schema(file))
            places = dict(zip(names, range(len(names)))) if every else known_places(names, path)
            file.seek(0)
            frame = pl.read_parquet(file, columns=list(places.values())) if places else pl.DataFrame()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"the parquet file is damaged: {error}", file=path, code="damaged-file") from None
    frame = frame.select(names[place] for place in places.values())
    return Table(path, tuple(places), enumerate(frame.iter_rows(), start=1), ", ".join(names))


def _text(path: Path, every: bool = False) -> Table:
    lines = text_lines(path)
    number, header = _next_row(lines) or (0, "")
    if not header:
        raise InputError("the table is empty", file=path, code="empty-input")
    if SEQUENCE_LETTERS.issuperset(header.strip()):
        return _sequences(path, number, header.strip(), lines)
    delimiter = _delimiter(path, header)
    names = _fields(header.lstrip("#"), delimiter, lines, path, number)
    if every:
        return Table(path, tuple(names), _rows(lines, delimiter, names, range(len(names)), path), header)
    places = known_places(names, path)
    return Table(path, tuple(places), _rows(lines, delimiter, names, tuple(places.values()), path), header)


def _next_row(lines: Iterator[tuple[int, str]]) -> tuple[int, str] | None:
    """Return the next line that is neither empty nor a comment."""
    return next(((number, line) for number, line in lines if line.strip() and not line.startswith("##")), None)


def _sequences(path: Path, number: int, first: str, lines: Iterator[tuple[int, str]]) -> Table:
    """Read a list of sequences without a header."""
    if uncompressed_suffix(path) != ".txt":
        raise InputError(
            "the first line must name the columns; a list of sequences without a header must be named .txt",
            file=path, line=number, value=first,
        )  # fmt: skip
    rest = ((line, text.strip()) for line, text in iter(lambda: _next_row(lines), None))
    ahead = list(islice(rest, _COMPARED))
    if _may_be_a_name(first, [sequence for _, sequence in ahead]):
        raise InputError(
            "ambiguous first line: header or sequence? add the header line 'sequence'",
            file=path, line=number, value=first,
        )  # fmt: skip
    return Table(path, ("sequence",), ((line, (text,)) for line, text in chain([(number, first)], ahead, rest)))


def _may_be_a_name(word: str, below: list[str]) -> bool:
    """Whether a first line of DNA letters looks like a column name compared with the lines below."""
    if len(word) > _LONGEST_WORD:
        return False
    alone_in_lower_case = word.islower() and not any(sequence.islower() for sequence in below)
    return alone_in_lower_case or 2 * len(word) < min(map(len, below), default=0)


def _rows(
    lines: Iterator[tuple[int, str]], delimiter: str, names: Sequence[str], places: Sequence[int], path: Path
) -> Iterator[tuple[int, Sequence[str]]]:
    unnamed = None
    for number, line in iter(lambda: _next_row(lines), None):
        fields = _fields(line, delimiter, lines, path, number)
        if unnamed is None:
            unnamed = _has_row_names(line, fields, names)
        if len(fields) - unnamed != len(names):
            message = f"expected {len(names)} fields as in the header, found {len(fields)}"
            raise InputError(message, file=path, line=number, value=line)
        yield number, [fields[place + unnamed] for place in places]


def _has_row_names(line: str, fields: Sequence[str], names: Sequence[str]) -> bool:
    """Whether the first row starts with a field that has no name in the header, as row names of R."""
    return len(fields) == len(names) + 1 and (line.startswith('"') or fields[0] == "1")


def _delimiter(path: Path, header: str) -> str:
    if uncompressed_suffix(path) == ".txt":
        return "\t" if "\t" in header else ","
    return "," if uncompressed_suffix(path) == ".csv" else "\t"


def _fields(line: str, delimiter: str, lines: Iterator[tuple[int, str]], path: Path, number: int) -> list[str]:
    """Return the fields of a row, reading further lines if a quoted field continues there."""
    if '"' not in line:
        return line.split(delimiter)
    text = chain((f"{line}\n",), (f"{further}\n" for _, further in lines))
    limit = csv.field_size_limit(sys.maxsize)  # a chromosome may be quoted
    try:
        return next(csv.reader(text, delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise InputError(f"invalid quotes: {error}", file=path, line=number, value=line) from None
    finally:
        csv.field_size_limit(limit)


def known_places(names: Iterable[str], path: Path) -> dict[str, int]:
    """Return the index of each known column by its standard name (`COLUMNS`).

    Raises:
        InputError: two columns have the same meaning.
    """
    places: dict[str, int] = {}
    for place, name in enumerate(names):
        plain = name.strip().lstrip("#").lower()
        plain = _ALIASES.get(plain, plain)
        if plain in COLUMNS:
            if plain in places:
                raise InputError(f"two columns mean {plain!r}", file=path, value=name)
            places[plain] = place
    return places
