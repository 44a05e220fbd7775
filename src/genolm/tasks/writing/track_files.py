"""Values along a genome as an artefact: bigWig and bedGraph out of pieces that must not overlap."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genolm.errors import InputError
from genolm.genome.bigwig import Piece, write_bedgraph, write_bigwig
from genolm.genome.fasta import Genome
from genolm.genome.interval import Interval
from genolm.genome.sequences import SequenceRecord
from genolm.tasks.reading.sources import Source
from genolm.tasks.writing.table_files import write_provenance

_BIGWIG = (".bw", ".bigwig")
_BEDGRAPH = (".bedgraph", ".bedgraph.gz")
TRACK_SUFFIXES = (*_BIGWIG, *_BEDGRAPH)

Float32 = NDArray[np.float32]


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


def track_rows(items: Sequence[SequenceRecord], values: Sequence[Float32]) -> pl.DataFrame:
    """A row for each piece: ``chrom``, ``start`` (0-based) and its ``values`` on the forward strand.

    Args:
        items: the pieces.
        values: a value per base in the order of the sequence; NaN for none.
    """
    turned = [one[::-1] if item.interval and item.interval.strand == "-" else one for item, one in zip(items, values)]
    columns = {
        "chrom": [item.interval.chrom if item.interval else item.id for item in items],
        "start": [item.interval.start if item.interval else 0 for item in items],
        "values": pl.Series([pl.Series(one, dtype=pl.Float32) for one in turned], dtype=pl.List(pl.Float32)),
    }
    return pl.DataFrame(columns, schema_overrides={"chrom": pl.String, "start": pl.Int64})


def write_track(frames: Iterator[pl.DataFrame], out: Path, source: Source, metadata: Mapping[str, str]) -> None:
    """Writes the pieces as ``.bw``, ``.bigwig``, ``.bedgraph`` or ``.bedgraph.gz``, metadata in a JSON beside it.

    What an interval has off its contig is left out.
    """
    lengths = contig_lengths(source)
    write = write_bigwig if out.name.lower().endswith(_BIGWIG) else write_bedgraph
    write(out, lengths, (piece for frame in frames for piece in _clipped(frame, lengths)))
    write_provenance(out, metadata)


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


def _clipped(frame: pl.DataFrame, lengths: Mapping[str, int]) -> Iterator[Piece]:
    for chrom, start, values in zip(frame["chrom"], frame["start"], frame["values"]):
        first, last = max(0, -start), lengths[chrom] - start
        yield chrom, start + first, values.to_numpy()[first:last]
