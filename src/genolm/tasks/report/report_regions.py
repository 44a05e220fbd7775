"""Regions of a genome that are included in a page."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from genolm.errors import InputError
from genolm.genome.fasta import Genome
from genolm.genome.interval import Interval
from genolm.tasks.report.scored_variants import ScoredAllele, ScoredFile

FLANKS = (5_000, 1_000, 200)
"""Bases on either side of a variant, from the widest; the first that is small enough is used."""


@dataclass(frozen=True)
class Regions:
    """Regions that do not overlap, sorted within each contig, under the contig names of the genome.

    Attributes:
        intervals: the regions.
    """

    intervals: tuple[Interval, ...]

    @cached_property
    def _by_contig(self) -> dict[str, tuple[list[int], list[int]]]:
        by_contig: dict[str, tuple[list[int], list[int]]] = {}
        for one in self.intervals:
            starts, ends = by_contig.setdefault(one.chrom, ([], []))
            starts.append(one.start)
            ends.append(one.end)
        return by_contig

    @property
    def bases(self) -> int:
        """Total number of bases."""
        return sum(map(len, self.intervals))

    def overlaps(self, chrom: str | None, start: int, end: int) -> bool:
        """Return whether a base of ``[start, end)``, 0-based, lies on a region."""
        starts, ends = self._by_contig.get(chrom or "", ([], []))
        last = bisect_right(starts, max(start, end - 1)) - 1
        return last >= 0 and ends[last] > start

    def contains(self, interval: Interval) -> bool:
        """Return whether a region contains the interval."""
        starts, ends = self._by_contig.get(interval.chrom, ([], []))
        last = bisect_right(starts, interval.start) - 1
        return last >= 0 and ends[last] >= interval.end

    def shows(self, genome: Genome, allele: ScoredAllele) -> bool:
        """Return whether a base of an allele's REF lies on a region."""
        return self.overlaps(resolved(genome, allele.chrom), allele.start, allele.end)


def resolved(genome: Genome, chrom: str) -> str | None:
    """Return the genome's name of a contig; None if it has no such contig."""
    try:
        return genome.resolve(chrom)
    except InputError:
        return None


def choose_regions(genome: Genome, scored: ScoredFile | None, most: int) -> Regions:
    """Return the complete genome if it has at most `most` bases, else the regions around the variants, up to that size.

    The flanks shrink from 5,000 to 200 bases if there are many variants. If the regions are still too large, those of
    the variants with the lowest scores are used.
    """
    if sum(genome.lengths.values()) <= most:
        return Regions(tuple(Interval(chrom, 0, length) for chrom, length in genome.lengths.items()))
    if scored is None or not scored.alleles:
        return Regions(tuple(_first_bases(_starts(genome), most)))
    for flank in FLANKS:
        by_contig = Regions(merged(_around(genome, scored.alleles, flank)))
        if by_contig.bases <= most:
            return by_contig
    lowest = sorted(scored.alleles, key=lambda one: (one.score is None, one.score or 0.0))
    around = list(_first_bases(_around(genome, lowest, FLANKS[-1]), most))
    return Regions(merged(around))


def merged(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """Return the intervals sorted, with overlapping or adjacent ones merged; strands are dropped."""
    joined: list[Interval] = []
    for one in sorted(intervals):
        last = joined[-1] if joined else None
        if last is not None and last.chrom == one.chrom and one.start <= last.end:
            joined[-1] = Interval(last.chrom, last.start, max(last.end, one.end))
        else:
            joined.append(one)
    return tuple(joined)


def on_contig(genome: Genome, chrom: str, start: int, end: int) -> Interval:
    """Return ``[start, end)`` clipped to the contig."""
    return Interval(chrom, max(0, start), min(genome.lengths[chrom], end))


def _around(genome: Genome, alleles: Sequence[ScoredAllele], flank: int) -> Iterator[Interval]:
    for one in alleles:
        name = resolved(genome, one.chrom)
        if name is not None and one.start < genome.lengths[name]:
            yield on_contig(genome, name, one.start - flank, one.end + flank)


def _first_bases(regions: Iterable[Interval], remaining: int) -> Iterator[Interval]:
    for region in regions:
        if remaining <= 0:
            return
        kept = min(len(region), remaining)
        yield Interval(region.chrom, region.start, region.start + kept)
        remaining -= kept


def _starts(genome: Genome) -> list[Interval]:
    return [Interval(chrom, 0, min(length, 200_000)) for chrom, length in genome.lengths.items()]
