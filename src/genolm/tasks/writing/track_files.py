"""Writers of tracks: bigWig and bedGraph from pieces that do not overlap."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl

from genolm.arrays import Float32
from genolm.genome.bigwig import Piece, write_bedgraph, write_bigwig
from genolm.genome.sequences import SequenceRecord
from genolm.tasks.writing.table_files import write_provenance

_BIGWIG = (".bw", ".bigwig")
_BEDGRAPH = (".bedgraph", ".bedgraph.gz")
TRACK_SUFFIXES = (*_BIGWIG, *_BEDGRAPH)


def track_rows(items: Sequence[SequenceRecord], values: Sequence[Float32]) -> pl.DataFrame:
    """Return a row for each piece: ``chrom``, ``start`` (0-based) and ``values`` on the forward strand.

    Args:
        items: the pieces.
        values: values per base in the order of each sequence; NaN if missing.
    """
    forward = [
        bases[::-1] if item.interval and item.interval.strand == "-" else bases for item, bases in zip(items, values)
    ]
    columns = {
        "chrom": [item.interval.chrom if item.interval else item.id for item in items],
        "start": [item.interval.start if item.interval else 0 for item in items],
        "values": pl.Series([pl.Series(bases, dtype=pl.Float32) for bases in forward], dtype=pl.List(pl.Float32)),
    }
    return pl.DataFrame(columns, schema_overrides={"chrom": pl.String, "start": pl.Int64})


def write_track(
    frames: Iterator[pl.DataFrame], out: Path, lengths: Mapping[str, int], metadata: Mapping[str, str]
) -> None:
    """Write the pieces as ``.bw``, ``.bigwig``, ``.bedgraph`` or ``.bedgraph.gz``, with a provenance file.

    Values beyond the ends of a contig are omitted.

    Args:
        frames: rows of :func:`track_rows`.
        out: output path.
        lengths: length of each contig in bases.
        metadata: provenance.
    """
    write = write_bigwig if out.name.lower().endswith(_BIGWIG) else write_bedgraph
    write(out, lengths, (piece for frame in frames for piece in _clipped(frame, lengths)))
    write_provenance(out, metadata)


def _clipped(frame: pl.DataFrame, lengths: Mapping[str, int]) -> Iterator[Piece]:
    for chrom, start, values in zip(frame["chrom"], frame["start"], frame["values"]):
        first, last = max(0, -start), lengths[chrom] - start
        yield chrom, start + first, values.to_numpy()[first:last]
