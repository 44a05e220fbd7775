"""Metrics of sequences, and of groups of sequences with confidence intervals.

Metrics of a group are ratios of sums over its sequences; sequences are the unit of resampling. N sequences, K sums.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from genolm.arrays import Float64
from genolm.genome.kmers import spectrum
from genolm.genome.sequence import reverse_complement
from genolm.genome.tandem_repeats import repeated_bases
from genolm.statistics.bootstrap import Estimate, estimate, ratio
from genolm.tasks.generation.novelty.gene_finder import GeneFinder
from genolm.tasks.generation.novelty.nearest_sequences import Nearest

TETRA = 4
_KILO = 1000


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of a group of sequences: a ratio of two sums.

    Attributes:
        name: name in tables.
        unit: unit of its values.
        about: short description.
        above: column of the per-sequence table in the numerator.
        below: column in the denominator; empty for the number of sequences.
        scale: factor of the ratio.
    """

    name: str
    unit: str
    about: str
    above: str
    below: str = ""
    scale: float = 1.0


METRICS = (
    Metric("length", "bases", "mean length", "length"),
    Metric("gc", "share", "G and C among A, C, G and T", "gc", "bases"),
    Metric("coding_density", "share", "bases inside a gene", "coding_bases", "length"),
    Metric("genes", "per kilobase", "genes, of either strand", "genes", "length", _KILO),
    Metric("gene_length", "bases", "mean length of a gene", "gene_bases", "genes"),
    Metric("partial_genes", "share", "genes that run over an end", "partial_genes", "genes"),
    Metric(
        "tandem_repeats", "share", "bases in perfect tandem repeats, period 1-100, 3 copies or more", "tandem", "length"
    ),
    Metric("long_tandem_repeats", "share", "the same, arrays of 20 bases or more", "long_tandem", "length"),
    Metric("gzip_ratio", "share", "compressed size over bases", "gzip_bytes", "length"),
    Metric("duplicates", "share", "sequences that stand there before, on either strand", "duplicate"),
    Metric("shared_kmers", "share", "28-mers that a training genome has", "shared_kmers", "kmers"),
    Metric("longest_match", "bases", "longest exact match with a training genome, mean", "longest_match", "compared"),
    Metric("identity", "share", "identity where that match puts the sequence, mean", "identity", "placed"),
)
"""Metrics that are ratios of sums; the tetranucleotide divergence is computed separately."""

DIVERGENCE = Metric(
    "tetranucleotide_divergence", "bits", "Jensen-Shannon divergence of tetranucleotides from the reference", ""
)


def measure(sequences: Sequence[str], finder: GeneFinder, nearest: Sequence[Nearest | None]) -> pl.DataFrame:
    """Return a row for each sequence with the columns of all metrics, and its nearest match."""
    seen: set[str] = set()
    rows = []
    for sequence, near in zip(sequences, nearest):
        genes = finder.count(sequence)
        repeats = repeated_bases(sequence)
        bases = len(sequence) - sequence.count("N")
        key = min(sequence, reverse_complement(sequence))
        rows.append(
            {
                "length": len(sequence),
                "bases": bases,
                "gc": sequence.count("G") + sequence.count("C"),
                "genes": genes.genes,
                "partial_genes": genes.partial,
                "coding_bases": genes.coding_bases,
                "gene_bases": genes.gene_bases,
                "tandem": repeats[0],
                "long_tandem": repeats[1],
                "gzip_bytes": len(zlib.compress(sequence.encode("ascii"), 9)),
                "duplicate": key in seen,
                **_near(near),
            }
        )
        seen.add(key)
    return pl.DataFrame(rows, schema=SCHEMA)


def _near(near: Nearest | None) -> dict[str, object]:
    if near is None:
        return dict.fromkeys(_NEAR)
    values = (near.kmers, near.shared, near.length, near.place or None, near.strand or None, near.identity)
    return dict(zip(_NEAR, values))


_NEAR = {
    "kmers": pl.Int64, "shared_kmers": pl.Int64, "longest_match": pl.Int64, "nearest": pl.String,
    "nearest_strand": pl.String, "identity": pl.Float64,
}  # fmt: skip
SCHEMA = {
    **dict.fromkeys(
        (
            "length", "bases", "gc", "genes", "partial_genes", "coding_bases", "gene_bases", "tandem", "long_tandem",
            "gzip_bytes",
        ),
        pl.Int64,
    ),
    "duplicate": pl.Boolean,
    **_NEAR,
}  # fmt: skip
"""Columns of :func:`measure`."""


def summarise(rows: pl.DataFrame, seed: int) -> dict[str, Estimate]:
    """Return every metric of a group with its 95 % interval from resampled sequences."""
    sums = rows.with_columns(
        sequences=pl.lit(1),
        duplicate=pl.col("duplicate").cast(pl.Int64),
        compared=pl.col("longest_match").is_not_null().cast(pl.Int64),
        placed=pl.col("identity").is_not_null().cast(pl.Int64),
    )
    estimates = {}
    for metric in METRICS:
        pair_NK = sums.select(metric.above, pl.col(metric.below or "sequences").alias("_below")).fill_null(0).to_numpy()
        value = estimate(pair_NK.astype(np.float64), _scaled(ratio(0, 1), metric.scale), seed)
        estimates[metric.name] = value
    return estimates


def _scaled(statistic: Callable[[Float64], Float64], scale: float) -> Callable[[Float64], Float64]:
    return lambda sums_RK: scale * statistic(sums_RK)


def divergence(sequences: Sequence[str], reference_F: Float64, seed: int) -> Estimate:
    """Return the Jensen-Shannon divergence of the pooled tetranucleotides from those of a reference, bits (0 to 1).

    Small samples diverge by chance; natural sequences of the same lengths show how much.

    Args:
        sequences: upper-case letters.
        reference_F: counts of the reference, (136,).
        seed: random seed of the resampling.
    """
    counts_NF = np.stack([spectrum(sequence, TETRA) for sequence in sequences]).astype(np.float64)
    shares_F = reference_F / reference_F.sum()
    value = float(_divergence(shares_F, counts_NF.sum(0, keepdims=True))[0])

    def centred(sums_RF: Float64) -> Float64:
        # Resampling adds chance divergence once more: keep the width of the interval, but centre it on the value.
        values_R = _divergence(shares_F, sums_RF)
        return np.maximum(0.0, values_R - values_R.mean() + value)

    return estimate(counts_NF, centred, seed)


def _divergence(reference_F: Float64, counts_RF: Float64) -> Float64:
    with np.errstate(invalid="ignore", divide="ignore"):
        shares_RF = counts_RF / counts_RF.sum(1, keepdims=True)
        middle_RF = (shares_RF + reference_F) / 2
        return np.asarray((_relative_entropy(shares_RF, middle_RF) + _relative_entropy(reference_F, middle_RF)) / 2)


def _relative_entropy(one_RF: Float64, other_RF: Float64) -> Float64:
    one_RF = np.broadcast_to(one_RF, other_RF.shape)
    terms = np.where(one_RF > 0, one_RF * np.log2(one_RF / other_RF), 0.0)
    return np.asarray(terms.sum(1))
