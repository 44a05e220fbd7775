"""Lines of GTF and GFF3 files: columns, intervals and attributes."""

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
"""Strand values of features without a strand (``.``) or with an unknown one (``?``)."""

_COLUMNS = 9
_GTF = re.compile(r'#.*|([\w.-]+)\s+(?:"([^"]*)"|([^\s;"]+))')


def annotation_lines(path: Path, form: Form) -> Iterator[tuple[int, list[str]]]:
    """Yield ``(line number, nine columns)`` of every feature, line numbers 1-based.

    Comments, directives, empty lines and the FASTA section of a GFF3 are skipped.

    Raises:
        InputError: a line does not have nine columns; or as `genolm.files.lines.text_lines`.
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
            raise InputError(f"a {form} line must have 9 columns, found {len(columns)}", file=path, line=number)
        if form == "GFF3" and "%" in columns[0]:
            columns[0] = unquote(columns[0])
        yield number, columns


def _is_comment(columns: list[str]) -> bool:
    text = "\t".join(columns).strip()
    return not text or text.startswith("#")


def feature_interval(columns: list[str], path: Path, number: int, form: str = "GTF") -> Interval:
    """Return the interval of a line of nine columns, on ``+`` if it has no strand (see `UNSTRANDED`).

    Raises:
        InputError: the contig name, the positions or the strand are invalid.
    """
    positions = [text.strip() for text in columns[3:5]]
    if not all(is_coordinate(text.removeprefix("-")) for text in positions):
        raise InputError(f"a {form} position must be a whole number", file=path, line=number, value=columns[3:5])
    start, end = map(int, positions)
    if not 1 <= start <= end:
        raise InputError(f"a {form} feature must have 1 <= start <= end", file=path, line=number, value=columns[3:5])
    strand = columns[6].strip()
    if strand not in ("+", "-", *UNSTRANDED):
        raise InputError(f"a {form} strand must be +, -, . or ?", file=path, line=number, value=columns[6])
    with locate_errors(path, number):
        return Interval(columns[0], start - 1, end, "-" if strand == "-" else "+")


def is_unstranded(columns: list[str]) -> bool:
    """Return whether a line of nine columns has no strand."""
    return columns[6].strip() in UNSTRANDED


def gtf_attributes(text: str) -> dict[str, str]:
    """Return the attributes of a GTF line, the first value of each key; quoted values may contain semicolons."""
    values: dict[str, str] = {}
    for key, quoted, bare in _GTF.findall(text):
        if key:
            values.setdefault(key, (quoted or bare).strip())
    return values


def attributes(text: str) -> dict[str, str]:
    """Return the attributes of a GFF3 line, with %-escapes decoded."""
    return {key: unquote(value) for key, value in _pairs(text)}


def parents(text: str) -> list[str]:
    """Return the parents of a GFF3 line; a comma inside a name is escaped as %2C."""
    values = (value for key, value in _pairs(text) if key == "Parent")
    return [unquote(name.strip()) for value in values for name in value.split(",") if name.strip()]


def _pairs(text: str) -> list[tuple[str, str]]:
    split = (pair.partition("=") for pair in text.strip().split(";"))
    return [(key.strip(), value.strip()) for key, found, value in split if found]


def note_circle(circles: dict[str, int], columns: list[str], path: Path, number: int) -> None:
    """Add the length of a contig to ``circles`` if this GFF3 line declares it circular (``Is_circular=true``)."""
    if "Is_circular" in columns[8] and attributes(columns[8]).get("Is_circular", "").lower() == "true":
        circles[columns[0]] = feature_interval(columns, path, number, "GFF3").end


def within_circle(part: Interval, length: int) -> tuple[Interval, ...]:
    """Return the intervals of a circular contig that a feature covers, by ascending coordinates in the file.

    Args:
        part: interval whose end, or start, may be beyond the end of the contig, where it continues at the first base.
        length: length of the contig in bases.
    """
    if part.start >= length:
        return (part.shift(-length * (part.start // length)),)
    if part.end <= length:
        return (part,)
    over = min(part.end - length, part.start)
    first = Interval(part.chrom, part.start, length, part.strand)
    return (first, Interval(part.chrom, 0, over, part.strand)) if over else (first,)
