"""Reader of BED files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from genolm.errors import InputError
from genolm.files.lines import text_lines
from genolm.genome.interval import Interval, is_coordinate

_SKIPPED = ("#", "track ", "track\t", "browser ", "browser\t")


@dataclass(frozen=True, slots=True)
class BedRecord:
    """One line of a BED file.

    Attributes:
        interval: columns 1-3 and 6; a missing strand or ``.`` is read as ``+``.
        name: column 4; None if it is missing or ``.``.
        line: line number in the file, 1-based.
    """

    interval: Interval
    name: str | None
    line: int


def read_bed(path: str | Path) -> Iterator[BedRecord]:
    """Yield the intervals of a BED file (plain, gzip or bgzip; at least 3 columns) in file order.

    Comments, ``track`` and ``browser`` lines and empty lines are skipped. Columns are separated by tabs or, in a line
    without tabs, by white space.

    Raises:
        InputError: a line has fewer than three columns, an invalid start, end or strand, or an empty interval; the file
            is damaged.
    """
    path = Path(path)
    for number, line in text_lines(path):
        if line.strip() and not line.startswith(_SKIPPED):
            yield _record(line, number, path)


def _record(line: str, number: int, path: Path) -> BedRecord:
    columns = line.split("\t") if "\t" in line else line.split()
    if len(columns) < 3:
        raise InputError(
            "a BED line must have at least three columns: contig, start, end", file=path, line=number, value=line
        )
    strand = columns[5].strip() if len(columns) > 5 else "."
    start, end = (_coordinate(text, number, path) for text in columns[1:3])
    try:
        interval = Interval(columns[0].strip(), start, end, "+" if strand == "." else strand)
    except InputError as error:
        raise error.at(file=path, line=number) from None
    name = columns[3].strip() if len(columns) > 3 else ""
    return BedRecord(interval, name if name not in ("", ".") else None, number)


def _coordinate(text: str, number: int, path: Path) -> int:
    if not is_coordinate(text.strip()):
        message = "start and end of a BED line must be whole numbers from 0"
        raise InputError(message, file=path, line=number, value=text)
    return int(text)
