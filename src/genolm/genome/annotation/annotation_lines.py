"""Lines of GTF and GFF3: nine columns, 1-based inclusive positions, and attributes in the last column."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from genolm.errors import InputError
from genolm.files.lines import locate_errors, text_lines
from genolm.genome.interval import Interval, is_coordinate

Form = Literal["GTF", "GFF3"]

UNSTRANDED = (".", "?")
"""Strands that the formats allow and that say nothing: not stranded, and not known."""

_COLUMNS = 9
_GTF = re.compile(r'#.*|([\w.-]+)\s+(?:"([^"]*)"|([^\s;"]+))')


def annotation_lines(path: Path, form: Form) -> Iterator[tuple[int, list[str]]]:
    """Yield ``(line number, nine columns)`` of every feature, line numbers from 1.

    Comments, directives and empty lines are skipped, and so is the sequence that a GFF3 may end with.

    Raises:
        InputError: a line without nine columns; also see `genolm.files.lines.text_lines`.
    """
    for number, line in text_lines(path):
        if form == "GFF3" and line.startswith(("##FASTA", ">")):
            return
        if not line.strip() or line.startswith("#"):
            continue
        columns = line.split("\t")
        if len(columns) > _COLUMNS and _is_comment(columns[_COLUMNS:]):
            del columns[_COLUMNS:]
        if len(columns) != _COLUMNS:
            raise InputError(f"a {form} line has 9 columns, this one {len(columns)}", file=path, line=number)
        if form == "GFF3" and "%" in columns[0]:
            columns[0] = unquote(columns[0])
        yield number, columns


def _is_comment(columns: list[str]) -> bool:
    text = "\t".join(columns).strip()
    return not text or text.startswith("#")


def feature_interval(columns: list[str], path: Path, number: int, form: str = "GTF") -> Interval:
    """Return where a line of nine columns lies, on ``+`` if it has no strand (see `UNSTRANDED`).

    Raises:
        InputError: a contig name of several words, a position that is not a whole number or is out of order, another
            strand; names file and line.
    """
    positions = [text.strip() for text in columns[3:5]]
    if not all(is_coordinate(text.removeprefix("-")) for text in positions):
        raise InputError(f"a {form} position must be a whole number", file=path, line=number, value=columns[3:5])
    start, end = map(int, positions)
    if not 1 <= start <= end:
        raise InputError(f"a {form} feature needs 1 <= start <= end", file=path, line=number, value=columns[3:5])
    strand = columns[6].strip()
    if strand not in ("+", "-", *UNSTRANDED):
        raise InputError(f"a {form} strand is +, -, . or ?", file=path, line=number, value=columns[6])
    with locate_errors(path, number):
        return Interval(columns[0], start - 1, end, "-" if strand == "-" else "+")


def is_unstranded(columns: list[str]) -> bool:
    """Return whether a line of nine columns does not say on which strand its feature lies."""
    return columns[6].strip() in UNSTRANDED


def gtf_attributes(text: str) -> dict[str, str]:
    """Return the ninth column of a GTF line by key, the first of each; quoted values may hold semicolons."""
    found: dict[str, str] = {}
    for key, quoted, bare in _GTF.findall(text):
        if key:
            found.setdefault(key, (quoted or bare).strip())
    return found


def attributes(text: str) -> dict[str, str]:
    """Return the ninth column of a GFF3 line by key, %-escapes resolved."""
    return {key: unquote(value) for key, value in _pairs(text)}


def parents(text: str) -> list[str]:
    """Return the parents that the ninth column of a GFF3 line names; a comma inside a name is escaped as %2C."""
    values = (value for key, value in _pairs(text) if key == "Parent")
    return [unquote(name.strip()) for value in values for name in value.split(",") if name.strip()]


def _pairs(text: str) -> list[tuple[str, str]]:
    split = (pair.partition("=") for pair in text.strip().split(";"))
    return [(key.strip(), value.strip()) for key, found, value in split if found]


def note_circle(circles: dict[str, int], columns: list[str], path: Path, number: int) -> None:
    """Enter the length of a circular contig, if this GFF3 line describes one (``Is_circular=true``)."""
    if "Is_circular" in columns[8] and attributes(columns[8]).get("Is_circular", "").lower() == "true":
        circles[columns[0]] = feature_interval(columns, path, number, "GFF3").end


def within_circle(part: Interval, length: int) -> tuple[Interval, ...]:
    """Return the stretches of a circular contig that a feature covers, in rising order of the written coordinates.

    Args:
        part: its end, or even its start, may lie beyond the end of the contig: there it goes on at the first base.
        length: bases of the contig.
    """
    if part.start >= length:
        return (part.shift(-length * (part.start // length)),)
    if part.end <= length:
        return (part,)
    over = min(part.end - length, part.start)
    first = Interval(part.chrom, part.start, length, part.strand)
    return (first, Interval(part.chrom, 0, over, part.strand)) if over else (first,)
