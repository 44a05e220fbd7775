"""Sequences sorted by genome position, for tracks with one value per base."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genolm.errors import InputError
from genolm.genome.fasta import Genome
from genolm.genome.interval import Interval
from genolm.genome.sequences import SequenceRecord
from genolm.remedies import Remedy
from genolm.tasks.reading.sources import Source


def base_starts(record: SequenceRecord) -> NDArray[np.int64]:
    """Return the 0-based coordinate of each base in the order of the sequence; descending on the minus strand."""
    if record.interval is None:
        return np.arange(len(record.sequence))
    ascending = np.arange(record.interval.start, record.interval.end)
    return ascending[::-1] if record.interval.strand == "-" else ascending


def pieces_in_order(source: Source) -> Iterator[SequenceRecord]:
    """Return the sequences sorted by genome position; contigs of a FASTA in the order of the file.

    Raises:
        InputError: if the source holds alleles, sequences without coordinates or overlapping intervals.
    """
    if source.kind == "sequences":
        return source.read()
    file = source.place if isinstance(source.place, Path) else None
    if source.kind == "alleles":
        raise InputError("a track has one value per base and variants have two alleles: write a table", file=file)
    with _genome(source) as genome:
        order = {chrom: number for number, chrom in enumerate(genome.lengths)}
        intervals = [_interval(record, genome) for record in source.read()]
    intervals.sort(key=lambda interval: (order[interval.chrom], interval.start))
    for interval, following in pairwise(intervals):
        if interval.overlaps(following):
            raise InputError(
                f"a track has one value per base, but intervals overlap: {interval} and {following}", file=file
            )
    return source.read_values(intervals)


def contig_lengths(source: Source) -> dict[str, int]:
    """Return the length of each contig of the genome or, for sequences, of each record."""
    if source.kind == "sequences":
        return {record.id: len(record.sequence) for record in source.read()}
    with _genome(source) as genome:
        return dict(genome.lengths)


def _genome(source: Source) -> Genome:
    if source.genome is None:
        raise InputError("a track of intervals needs their genome", code="missing-argument", remedy=Remedy("genome"))
    return Genome(source.genome)


def _interval(record: SequenceRecord, genome: Genome) -> Interval:
    interval = record.interval
    if interval is None:
        raise InputError("a track needs the coordinates of every sequence", value=record.id)
    return Interval(genome.resolve(interval.chrom), interval.start, interval.end, interval.strand)
