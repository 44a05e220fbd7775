"""Intervals out of BED files."""

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
        interval: columns 1-3 and 6; strand ``.`` or none reads ``+``.
        name: column 4, or None when there is none or it is ``.``.
        line: where it stands in the file, 1-based.
    """

    interval: Interval
    name: str | None
    line: int


def read_bed(path: str | Path) -> Iterator[BedRecord]:
    """Yields the intervals of a BED file (3 to 12 columns and more; also gzip and bgzip) in its order.

    Comments, ``track`` and ``browser`` lines and empty lines are passed over. Columns are separated by tabs or,
    in a line without tabs, by white space.

    Raises:
        InputError: with file and line: fewer than three columns, a start or end that is no number, a negative start,
            an empty interval, a strand other than ``+``, ``-`` and ``.``; also a damaged file.
    """
    path = Path(path)
    for number, line in text_lines(path):
        if line.strip() and not line.startswith(_SKIPPED):
            yield _record(line, number, path)


def _record(line: str, number: int, path: Path) -> BedRecord:
    columns = line.split("\t") if "\t" in line else line.split()
    if len(columns) < 3:
        raise InputError(
            "a BED line has at least three columns: contig, start, end", file=path, line=number, value=line
        )
    strand = columns[5].strip() if len(columns) > 5 else "."
    start, end = (_coordinate(text, number, path) for text in columns[1:3])
    try:
        interval = Interval(columns[0].strip(), start, end, "+" if strand == "." else strand)
    except InputError as error:
        raise InputError(error.message, file=path, line=number, value=error.value) from None
    name = columns[3].strip() if len(columns) > 3 else ""
    return BedRecord(interval, name if name not in ("", ".") else None, number)


def _coordinate(text: str, number: int, path: Path) -> int:
    if not is_coordinate(text.strip()):
        raise InputError("start and end of a BED line are whole numbers from 0 up", file=path, line=number, value=text)
    return int(text)
