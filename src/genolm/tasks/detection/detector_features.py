"""Features of sequences: embeddings, hand-made ones, tetranucleotides alone. N sequences, F features."""

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


def feature_frame(sequences: Sequence[str], wanted: str, embedding: pl.Series | None) -> pl.DataFrame:
    """A row for each sequence, a column of vectors for each of the features that are computed.

    Args:
        sequences: upper-case letters.
        wanted: ``embedding``, ``handmade`` or ``both``.
        embedding: what a model made of the sequences, ``Array(Float32, D)``; None where there is none.
    """
    columns = {} if embedding is None else {"embedding": embedding}
    if wanted != "embedding":
        columns["handmade"] = _column(handmade_features(sequences))
    return pl.DataFrame(columns | {BASELINE: _column(kmer_features(sequences))})


def feature_matrices(frame: pl.DataFrame, wanted: str) -> dict[str, Float64]:
    """The columns of :func:`feature_frame` as matrices by name, and ``both`` where that is wanted."""
    found = {name: frame[name].to_numpy().astype(np.float64) for name in _COMPUTED if name in frame.columns}
    if wanted == "both":
        found["both"] = np.concatenate((found["embedding"], found["handmade"]), axis=1)
    return found


def _column(values_NF: Float64) -> pl.Series:
    return pl.Series(values_NF, dtype=pl.Array(pl.Float64, values_NF.shape[1]))


def kmer_features(sequences: Sequence[str]) -> Float64:
    """Frequencies of the 136 canonical tetranucleotides: the baseline; (N, 136)."""
    return np.array([_frequencies(sequence, 4) for sequence in sequences]).reshape(-1, len(KMER_NAMES))


def handmade_features(sequences: Sequence[str]) -> Float64:
    """Composition, entropies, repeats and coding signals, in the order of `HANDMADE_NAMES`; (N, F)."""
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
    """Bases of the longest stretch without a stop codon in any of the six frames."""
    longest = 0
    for strand in (sequence, reverse_complement(sequence)):
        stops = sorted(place for stop in _STOPS for place in _places(strand, stop))
        for frame in range(3):
            edges = [frame, *(place for place in stops if place % 3 == frame), len(strand) - (len(strand) - frame) % 3]
            starts = [edges[0], *(edge + 3 for edge in edges[1:-1])]
            longest = max(longest, *(end - start for start, end in zip(starts, edges[1:])))
    return longest


def _places(sequence: str, word: str) -> list[int]:
    found, place = [], sequence.find(word)
    while place >= 0:
        found.append(place)
        place = sequence.find(word, place + 1)
    return found


def _period_three(sequence: str) -> float:
    """How much oftener a letter stands again three bases on than two or four: a sign of codons."""
    text = letters(sequence)
    if len(text) < 8:
        return 0.0
    same = {lag: float((text[:-lag] == text[lag:]).mean()) for lag in (2, 3, 4)}
    return same[3] - (same[2] + same[4]) / 2


def refuse_engine_options(bulk: Bulk) -> None:
    """Raise `RunError` if an option needs a run of the engine, which features without embeddings do not have."""
    if bulk.resume or bulk.shard is not None:
        raise RunError("resume and shard require embedding features")
    if bulk.dry_run:
        raise RunError("a dry run measures a model: it requires embedding features")
