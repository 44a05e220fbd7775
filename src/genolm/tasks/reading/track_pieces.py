"""Sequences in the order of the genome, so that each base of a track has one value."""

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
from genolm.tasks.reading.sources import Source


def base_starts(record: SequenceRecord) -> NDArray[np.int64]:
    """0-based coordinate of every base in the order of the sequence, which falls on the minus strand."""
    if record.interval is None:
        return np.arange(len(record.sequence))
    upwards = np.arange(record.interval.start, record.interval.end)
    return upwards[::-1] if record.interval.strand == "-" else upwards


def pieces_in_order(source: Source) -> Iterator[SequenceRecord]:
    """The sequences in the order of the genome; whole contigs, as in a FASTA, in the order of their file.

    Raises:
        InputError: alleles, values without a place, or intervals that overlap: a base of a track has one value.
    """
    if source.kind == "sequences":
        return source.read()
    file = source.place if isinstance(source.place, Path) else None
    if source.kind == "alleles":
        raise InputError(
            "a track holds one value per base of the genome; variants have two: write a table instead", file=file
        )
    with _genome(source) as genome:
        order = {chrom: number for number, chrom in enumerate(genome.lengths)}
        intervals = [_placed(record, genome) for record in source.read()]
    intervals.sort(key=lambda interval: (order[interval.chrom], interval.start))
    for one, other in pairwise(intervals):
        if one.overlaps(other):
            raise InputError(f"intervals overlap, and a track holds one value per base: {one} and {other}", file=file)
    return source.read_values(intervals)


def contig_lengths(source: Source) -> dict[str, int]:
    """Bases of every contig: of the genome, or of the FASTA's own records."""
    if source.kind == "sequences":
        return {record.id: len(record.sequence) for record in source.read()}
    with _genome(source) as genome:
        return dict(genome.lengths)


def _genome(source: Source) -> Genome:
    if source.genome is None:
        raise InputError("a track of intervals needs the genome they lie on (genome=)")
    return Genome(source.genome)


def _placed(record: SequenceRecord, genome: Genome) -> Interval:
    interval = record.interval
    if interval is None:
        raise InputError("a track needs coordinates for every sequence", value=record.id)
    return Interval(genome.resolve(interval.chrom), interval.start, interval.end, interval.strand)
