"""Tiles: the pieces in which each strand of a contig goes through the models, every base of it belonging to one.

A contig is cut at long runs of N. Each strand of what is left is tiled from where that strand begins, so that the tiles
of a sequence are those of its reverse complement on the other strand. Positions along a strand are 0-based.
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
    """A tile along a strand, half-open: ``start`` to ``end`` are its own, ``first`` to ``last`` are read."""

    first: int
    start: int
    end: int
    last: int


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile of a contig.

    Attributes:
        chrom: the contig.
        reverse: whether the reverse strand is read.
        start: first of its own bases on the forward strand, 0-based.
        end: base after the last.
        sequence: what is read, along the strand.
        before: bases of the sequence before its own.
    """

    chrom: str
    reverse: bool
    start: int
    end: int
    sequence: str
    before: int


@dataclass(frozen=True, slots=True)
class Tiling:
    """How strands are cut.

    Attributes:
        window: bases that are read together.
        before: bases that are read again before a tile's own.
        after: bases that are read after them and belong to the next tile.
        shortest_run: the shortest run of N at which a contig is cut.

    Raises:
        InputError: nothing of a window would be its own.
    """

    window: int
    before: int
    after: int
    shortest_run: int

    def __post_init__(self) -> None:
        if self.before < 0 or self.before + self.after >= self.window:
            raise InputError(
                f"windows of {self.window:,} bases that share {self.before + self.after:,} with their neighbours leave "
                "nothing to score; the overlap must be smaller"
            )

    def spans(self, length: int) -> Iterator[Span]:
        """The tiles of a strand of ``length`` bases, the first and the last reaching to its ends."""
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
        """The tiles of a contig, strand by strand.

        Args:
            record: the contig, in upper case.
            strands: which to read; True is the reverse one.
        """
        runs = list(self.runs(record.sequence))
        for reverse in strands:
            for first, end in runs:
                body = record.sequence[first:end]
                strand = reverse_complement(body) if reverse else body
                for span in self.spans(len(body)):
                    own = (end - span.end, end - span.start) if reverse else (first + span.start, first + span.end)
                    text = strand[span.first : span.last]
                    yield Tile(record.id, reverse, *own, text, span.start - span.first)
