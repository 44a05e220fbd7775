"""Genomic intervals."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass, replace

from genolm.errors import InputError

_TEXT = re.compile(r"(?P<chrom>\S+):(?P<start>-?[0-9,]+)-(?P<end>-?[0-9,]+)(?::(?P<strand>[+-]))?")
_MOST_DIGITS = 18
"""Maximum digits of a coordinate, to fit into 64 bits."""


@dataclass(frozen=True, order=True, slots=True)
class Interval:
    """A half-open interval on one strand of a contig.

    It may extend beyond its contig (negative ``start``, ``end`` past the last base), where a `Genome` returns N.
    Intervals are sorted by contig name (as text), start, end and strand.

    Attributes:
        chrom: name of the contig.
        start: first base, 0-based.
        end: one past the last base, 0-based; greater than ``start``.
        strand: ``"+"`` or ``"-"``; a sequence read on ``-`` is reverse-complemented.

    Raises:
        InputError: the name is not one word, a coordinate is not a whole number, the interval is empty, or the strand
            is invalid.
    """

    chrom: str
    start: int
    end: int
    strand: str = "+"

    def __post_init__(self) -> None:
        check_contig_name(self.chrom)
        object.__setattr__(self, "start", whole_number(self.start, "start"))
        object.__setattr__(self, "end", whole_number(self.end, "end"))
        if self.end <= self.start:
            raise InputError(
                "empty interval: end must be greater than start (0-based, half-open)",
                value=f"{self.chrom} {self.start} {self.end}",
            )
        if self.strand not in ("+", "-"):
            raise InputError("the strand of an interval must be '+' or '-'", value=self.strand)

    @classmethod
    def of(cls, value: Interval | str) -> Interval:
        """Return an interval itself, and text as :meth:`parse` reads it.

        Raises:
            InputError: the value is neither, or the text is not an interval.
        """
        if isinstance(value, Interval):
            return value
        if not isinstance(value, str):
            raise InputError("expected an Interval, or text such as chr22:1,001-2,000", value=value)
        return cls.parse(value)

    @staticmethod
    def is_text(text: str) -> bool:
        """Return whether a text has the form of :meth:`parse`; its coordinates may still be invalid."""
        return _TEXT.fullmatch(text.strip()) is not None

    @classmethod
    def parse(cls, text: str) -> Interval:
        """Parse the browser notation ``chr22:1,001-2,000`` (1-based, inclusive), optionally with ``:+`` or ``:-``.

        Raises:
            InputError: the text is not an interval, or the interval is empty.
        """
        match = _TEXT.fullmatch(text.strip()) if isinstance(text, str) else None
        if match is None:
            raise InputError("invalid interval: expected e.g. chr22:1,001-2,000 (1-based, inclusive)", value=text)
        start, end = (grouped_number(match[part], text) for part in ("start", "end"))
        if end < start:
            raise InputError("the interval ends before it starts", value=text)
        return cls(match["chrom"], start - 1, end, match["strand"] or "+")

    def __str__(self) -> str:
        return f"{self.chrom}:{self.start + 1}-{self.end}{':-' if self.strand == '-' else ''}"

    def __len__(self) -> int:
        return self.end - self.start

    @property
    def center(self) -> int:
        """Position of the middle base, 0-based; the right one of the two for an even length."""
        return (self.start + self.end) // 2

    def resize(self, length: int) -> Interval:
        """Return the interval of ``length`` bases with the same `center`, on either strand."""
        start = self.center - length // 2
        return replace(self, start=start, end=start + length)

    def shift(self, offset: int) -> Interval:
        """Return the interval moved by ``offset`` bases towards higher coordinates, on either strand."""
        return replace(self, start=self.start + offset, end=self.end + offset)

    def expand(self, left: int, right: int) -> Interval:
        """Return the interval extended by ``left`` bases upstream and ``right`` downstream **relative to its strand**.

        Negative numbers shorten it.
        """
        if self.strand == "-":
            left, right = right, left
        return replace(self, start=self.start - left, end=self.end + right)

    def overlaps(self, other: Interval) -> bool:
        """Return whether the intervals share a base, on either strand; contig names must be equal."""
        return self.chrom == other.chrom and self.start < other.end and other.start < self.end

    def contains(self, other: Interval) -> bool:
        """Return whether all bases of ``other`` are in this interval, on either strand."""
        return self.chrom == other.chrom and self.start <= other.start and other.end <= self.end

    def reverse(self) -> Interval:
        """Return the same bases on the other strand."""
        return replace(self, strand="+" if self.strand == "-" else "-")


def check_contig_name(name: str) -> None:
    """Raise `InputError` if ``name`` is empty or contains white space."""
    if not isinstance(name, str) or len(name.split()) != 1 or name != name.strip():
        raise InputError("a contig name must be one word without white space", value=name)


def is_coordinate(text: str) -> bool:
    """Return whether a text is a whole number of at most 18 digits, without sign and separators."""
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS


def grouped_number(digits: str, text: str) -> int:
    """Parse a coordinate with or without thousands separators.

    Args:
        digits: text of the coordinate.
        text: complete text, for the error message.

    Raises:
        InputError: there is no digit, or there are more than 18.
    """
    plain = digits.replace(",", "")
    if not 0 < len(plain.removeprefix("-")) <= _MOST_DIGITS:
        raise InputError("a coordinate must be a whole number of 1 to 18 digits", value=text)
    return int(plain)


def whole_number(value: object, name: str) -> int:
    """Return an integer (also of numpy) as ``int``; raise `InputError` for floats, text and Booleans."""
    if isinstance(value, bool):
        raise InputError(f"{name} must be a whole number", value=value)
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise InputError(f"{name} must be a whole number", value=value) from None
