"""Tiles: overlapping pieces of the strands of a contig, in which every base is scored once.

A contig is split at long runs of N. Each strand of the remaining sequence is tiled from its own beginning, so that the
tiles of a sequence equal those of its reverse complement on the other strand. Positions along a strand are 0-based.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from genolm.errors import InputError
from genolm.genome.sequence import reverse_complement
from genolm.genome.sequences import SequenceRecord


class Span(NamedTuple):
    """A tile along a strand, half-open: ``start`` to ``end`` are scored, ``first`` to ``last`` are read."""

    first: int
    start: int
    end: int
    last: int


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile of a contig.

    Attributes:
        chrom: name of the contig.
        reverse: whether the reverse strand is read.
        start: position of the first scored base on the forward strand, 0-based.
        end: position after the last scored base.
        sequence: bases that are read, along the strand.
        before: number of bases in the sequence before the scored ones.
    """

    chrom: str
    reverse: bool
    start: int
    end: int
    sequence: str
    before: int


@dataclass(frozen=True, slots=True)
class Tiling:
    """Division of strands into tiles.

    Attributes:
        window: number of bases read together.
        before: overlap with the preceding tile in bases.
        after: overlap with the following tile in bases.
        shortest_run: shortest run of N at which a contig is split.

    Raises:
        InputError: if the overlaps cover the window.
    """

    window: int
    before: int
    after: int
    shortest_run: int

    def __post_init__(self) -> None:
        if self.before < 0 or self.before + self.after >= self.window:
            raise InputError(
                f"overlap must be smaller than the window: {self.before + self.after:,} of {self.window:,} bases "
                "leave nothing to score"
            )

    def spans(self, length: int) -> Iterator[Span]:
        """Yield the tiles of a strand of ``length`` bases."""
        start = 0
        while start < length:
            first = max(0, start - self.before)
            last = min(first + self.window, length)
            end = last if last == length else last - self.after
            yield Span(first, start, end, last)
            start = end

    def runs(self, sequence: str) -> Iterator[tuple[int, int]]:
        """What is scanned of a contig: the stretches between long runs of N, without N at their ends."""
        start = 0
        for gap in re.finditer(f"N{{{self.shortest_run},}}|$", sequence):
            body = sequence[start : gap.start()]
            left = len(body) - len(body.lstrip("N"))
            if left < len(body):
                yield start + left, start + len(body.rstrip("N"))
            start = gap.end()

    def tiles(self, record: SequenceRecord, strands: Iterable[bool]) -> Iterator[Tile]:
        """Yield the tiles of a contig, strand by strand.

        Args:
            record: the contig, in upper case.
            strands: strands to read; True is the reverse strand.
        """
        runs = list(self.runs(record.sequence))
        for reverse in strands:
            for first, end in runs:
                body = record.sequence[first:end]
                strand = reverse_complement(body) if reverse else body
                for span in self.spans(len(body)):
                    scored = (end - span.end, end - span.start) if reverse else (first + span.start, first + span.end)
                    bases = strand[span.first : span.last]
                    yield Tile(record.id, reverse, *scored, bases, span.start - span.first)
