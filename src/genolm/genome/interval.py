"""A stretch of one strand of one contig."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass, replace

from genolm.errors import InputError

_TEXT = re.compile(r"(?P<chrom>\S+):(?P<start>-?[0-9,]+)-(?P<end>-?[0-9,]+)(?::(?P<strand>[+-]))?")
_MOST_DIGITS = 18
"""Of a coordinate, so that it fits into 64 bits."""


@dataclass(frozen=True, order=True, slots=True)
class Interval:
    """A half-open interval on one strand of a contig.

    It may reach over the ends of its contig (negative ``start``, ``end`` past the last base): a `Genome` reads N there.
    Intervals sort by contig name (as text), start, end and strand.

    Attributes:
        chrom: name of the contig.
        start: first base, 0-based.
        end: one past the last base, 0-based; greater than ``start``.
        strand: ``"+"`` or ``"-"``; a sequence read on ``-`` is reverse-complemented.

    Raises:
        InputError: a name that is no word, a coordinate that is no whole number, no base inside, another strand.
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
                "an interval needs at least one base: end must be greater than start (0-based, half-open)",
                value=f"{self.chrom} {self.start} {self.end}",
            )
        if self.strand not in ("+", "-"):
            raise InputError("the strand of an interval is '+' or '-'", value=self.strand)

    @classmethod
    def parse(cls, text: str) -> Interval:
        """Reads the browser form ``chr22:1,001-2,000`` (1-based, inclusive), then maybe ``:+`` or ``:-``.

        Raises:
            InputError: the text has another form, or describes no base.
        """
        match = _TEXT.fullmatch(text.strip()) if isinstance(text, str) else None
        if match is None:
            raise InputError("not an interval; write it as chr22:1,001-2,000 (1-based, both ends included)", value=text)
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
        """The middle base (0-based); of an even number of bases, the right one of the two in the middle."""
        return (self.start + self.end) // 2

    def resize(self, length: int) -> Interval:
        """The interval of ``length`` bases around the same `center`, whichever the strand."""
        start = self.center - length // 2
        return replace(self, start=start, end=start + length)

    def shift(self, offset: int) -> Interval:
        """Moved by ``offset`` bases towards higher coordinates (lower when negative), whichever the strand."""
        return replace(self, start=self.start + offset, end=self.end + offset)

    def expand(self, left: int, right: int) -> Interval:
        """Grown by ``left`` bases upstream and ``right`` downstream **as its strand reads**; negative numbers cut."""
        if self.strand == "-":
            left, right = right, left
        return replace(self, start=self.start - left, end=self.end + right)

    def overlaps(self, other: Interval) -> bool:
        """Whether the two share a base, on whichever strand. Contig names must be spelled alike."""
        return self.chrom == other.chrom and self.start < other.end and other.start < self.end

    def contains(self, other: Interval) -> bool:
        """Whether every base of ``other`` lies in this interval, on whichever strand."""
        return self.chrom == other.chrom and self.start <= other.start and other.end <= self.end

    def reverse(self) -> Interval:
        """The same bases on the other strand."""
        return replace(self, strand="+" if self.strand == "-" else "-")


def check_contig_name(name: str) -> None:
    """Raises `InputError` unless ``name`` is a non-empty word without white space."""
    if not isinstance(name, str) or len(name.split()) != 1 or name != name.strip():
        raise InputError("the name of a contig is one word without white space", value=name)


def is_coordinate(text: str) -> bool:
    """Return whether a text is a whole number from 0 up with at most 18 digits, without a sign or separators."""
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS


def grouped_number(digits: str, text: str) -> int:
    """Return a coordinate written with or without thousands separators.

    Args:
        digits: as they were read.
        text: what they are a part of, for the message.

    Raises:
        InputError: no digit, or more than 18.
    """
    plain = digits.replace(",", "")
    if not 0 < len(plain.removeprefix("-")) <= _MOST_DIGITS:
        raise InputError("a coordinate must be a whole number of 1 to 18 digits", value=text)
    return int(plain)


def whole_number(value: object, name: str) -> int:
    """``value`` as a plain ``int``; numpy integers pass; floats, text, True and False raise `InputError`."""
    if isinstance(value, bool):
        raise InputError(f"{name} must be a whole number", value=value)
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise InputError(f"{name} must be a whole number", value=value) from None
