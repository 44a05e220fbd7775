"""Features of sequences: embeddings, hand-made features, tetranucleotide frequencies. N sequences, F features."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from itertools import groupby

import numpy as np
import polars as pl

from genolm.arrays import Float64
from genolm.errors import RunError
from genolm.genome.kmers import canonical_kmers, letters, spectrum
from genolm.genome.sequence import reverse_complement
from genolm.genome.tandem_repeats import repeated_bases
from genolm.statistics.bootstrap import entropy_bits
from genolm.tasks.reading.bulk import Bulk

BASELINE = "tetranucleotides"
_COMPUTED = ("embedding", "handmade", BASELINE)

_SCALARS = (
    "gc",
    "entropy_2",
    "entropy_4",
    "tandem",
    "long_tandem",
    "compressed",
    "homopolymer",
    "open_frame",
    "period_3",
)
KMER_NAMES = tuple(f"kmer_{kmer}" for kmer in canonical_kmers(4))
HANDMADE_NAMES = (*_SCALARS, *(f"kmer_{kmer}" for kmer in canonical_kmers(3)), *KMER_NAMES)
_STOPS = ("TAA", "TAG", "TGA")


def feature_frame(sequences: Sequence[str], selected: str, embedding: pl.Series | None) -> pl.DataFrame:
    """Return a row for each sequence, with a column of vectors for each computed feature set.

    Args:
        sequences: upper-case letters.
        selected: ``embedding``, ``handmade`` or ``both``.
        embedding: embeddings of the sequences, ``Array(Float32, D)``; None without a model.
    """
    columns = {} if embedding is None else {"embedding": embedding}
    if selected != "embedding":
        columns["handmade"] = _column(handmade_features(sequences))
    return pl.DataFrame(columns | {BASELINE: _column(kmer_features(sequences))})


def feature_matrices(frame: pl.DataFrame, selected: str) -> dict[str, Float64]:
    """Return the columns of :func:`feature_frame` as matrices by name, and ``both`` if selected."""
    matrices = {name: frame[name].to_numpy().astype(np.float64) for name in _COMPUTED if name in frame.columns}
    if selected == "both":
        matrices["both"] = np.concatenate((matrices["embedding"], matrices["handmade"]), axis=1)
    return matrices


def _column(values_NF: Float64) -> pl.Series:
    return pl.Series(values_NF, dtype=pl.Array(pl.Float64, values_NF.shape[1]))


def kmer_features(sequences: Sequence[str]) -> Float64:
    """Return the frequencies of the 136 canonical tetranucleotides, the baseline; (N, 136)."""
    return np.array([_frequencies(sequence, 4) for sequence in sequences]).reshape(-1, len(KMER_NAMES))


def handmade_features(sequences: Sequence[str]) -> Float64:
    """Return composition, entropies, repeats and coding signals, in the order of `HANDMADE_NAMES`; (N, F)."""
    return np.array([_handmade(sequence) for sequence in sequences]).reshape(-1, len(HANDMADE_NAMES))


def _handmade(sequence: str) -> Float64:
    three, four = _frequencies(sequence, 3), _frequencies(sequence, 4)
    length = max(1, len(sequence))
    every, long = repeated_bases(sequence)
    scalars = (
        (sequence.count("G") + sequence.count("C")) / max(1, length - sequence.count("N")),
        entropy_bits(_frequencies(sequence, 2)),
        entropy_bits(four),
        every / length,
        long / length,
        len(zlib.compress(sequence.encode("ascii"), 9)) / length,
        max((len(list(run)) for letter, run in groupby(sequence) if letter != "N"), default=0) / length,
        longest_open_frame(sequence) / length,
        _period_three(sequence),
    )
    return np.concatenate((scalars, three, four))


def _frequencies(sequence: str, k: int) -> Float64:
    counts = spectrum(sequence, k).astype(np.float64)
    return np.asarray(counts / max(1.0, counts.sum()))


def longest_open_frame(sequence: str) -> int:
    """Return the length in bases of the longest run without a stop codon in any of the six frames."""
    longest = 0
    for strand in (sequence, reverse_complement(sequence)):
        stops = sorted(position for stop in _STOPS for position in _occurrences(strand, stop))
        for frame in range(3):
            edges = [
                frame,
                *(position for position in stops if position % 3 == frame),
                len(strand) - (len(strand) - frame) % 3,
            ]
            starts = [edges[0], *(edge + 3 for edge in edges[1:-1])]
            longest = max(longest, *(end - start for start, end in zip(starts, edges[1:])))
    return longest


def _occurrences(sequence: str, word: str) -> list[int]:
    positions, position = [], sequence.find(word)
    while position >= 0:
        positions.append(position)
        position = sequence.find(word, position + 1)
    return positions


def _period_three(sequence: str) -> float:
    """Return by how much letters recur more often at distance 3 than at 2 and 4, a signal of codons."""
    text = letters(sequence)
    if len(text) < 8:
        return 0.0
    same = {lag: float((text[:-lag] == text[lag:]).mean()) for lag in (2, 3, 4)}
    return same[3] - (same[2] + same[4]) / 2


def refuse_engine_options(bulk: Bulk) -> None:
    """Raise `RunError` if an option needs a run of the engine, which features without embeddings do not have."""
    if bulk.resume or bulk.shard is not None:
        raise RunError("resume and shard require embedding features")
    if bulk.keep_parts:
        raise RunError("keep_parts requires embedding features")
    if bulk.dry_run:
        raise RunError("a dry run measures a model: it requires embedding features")
