"""Baselines of a check of generated DNA: natural pieces of the reference, and samples of its Markov model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genolm.genome.kmers import spectrum, word_counts
from genolm.genome.labelled.fragments import Pieces, matched_pieces, read_genome
from genolm.genome.labelled.generated_records import GeneratedRecord
from genolm.tasks.generation.novelty.sequence_metrics import (
    TETRA,
)


@dataclass(frozen=True, slots=True)
class SequenceGroup:
    """A group of sequences to compare.

    Attributes:
        ids: names.
        sequences: upper-case bases.
        origins: file that each sequence comes from; None for sequences from elsewhere.
    """

    ids: list[str]
    sequences: list[str]
    origins: list[Path | None]


@dataclass(frozen=True, slots=True)
class CheckBaselines:
    """The reference, reduced to what a check needs.

    Attributes:
        tetranucleotides: counts of the canonical tetranucleotides.
        natural: pieces of the reference.
        markov: samples of the Markov model.
    """

    tetranucleotides: np.ndarray[Any, np.dtype[np.float64]]
    natural: SequenceGroup
    markov: SequenceGroup


def read_baselines(
    records: Sequence[GeneratedRecord], files: Mapping[str, Path], order: int, seed: int
) -> CheckBaselines:
    """Read the reference genome by genome; sample pieces and Markov sequences of the lengths of the records."""
    random = np.random.default_rng(seed)
    lengths = [len(record.sequence) for record in records]
    counts = np.zeros(len(spectrum("", TETRA)), np.float64)
    chain, genomes = MarkovChain(order), []
    for name, path in files.items():
        contigs = read_genome(path)
        for contig in contigs:
            counts += spectrum(contig.sequence, TETRA)
        chain.add(contig.sequence for contig in contigs)
        genomes.append(Pieces(name, contigs, random))
    # Long pieces first: they are the hardest to place.
    ranked = sorted(range(len(lengths)), key=lambda number: -lengths[number])
    sampled = dict(zip(ranked, matched_pieces(genomes, (lengths[number] for number in ranked))))
    pieces = [sampled[number] for number in range(len(lengths))]
    natural = SequenceGroup(
        [piece.id for piece in pieces], [piece.sequence for piece in pieces], [files[piece.genome] for piece in pieces]
    )
    sequences = chain.draw(lengths, random)
    markov = SequenceGroup(
        [f"markov_{number}" for number in range(1, len(sequences) + 1)], sequences, [None] * len(sequences)
    )
    return CheckBaselines(counts, natural, markov)


MAX_ORDER = 10

_LETTERS = np.frombuffer(b"ACGT", np.uint8)


class MarkovChain:
    """A Markov chain with one pseudocount per base and context, counted on both strands, to sample sequences.

    Unlike :class:`genolm.statistics.markov.MarkovModel` it has one order, without interpolation: the baseline has
    exactly the word frequencies of its order.

    Args:
        order: number of previous bases that the next base depends on, 0 to 10.
    """

    def __init__(self, order: int) -> None:
        self.order = order
        self._words = np.zeros(4 ** (order + 1), np.int64)

    def add(self, sequences: Iterable[str]) -> None:
        """Count the words of order + 1 bases of sequences."""
        for sequence in sequences:
            self._words += word_counts(sequence, self.order + 1, both_strands=True)

    def draw(self, lengths: Sequence[int], random: np.random.Generator) -> list[str]:
        """Sample one sequence per length; each starts after a context of the reference."""
        steps_C4 = np.cumsum((self._words + 1).reshape(-1, 4), axis=1, dtype=np.float64)
        steps_C4 /= steps_C4[:, -1:]
        starts = self._words.reshape(-1, 4).sum(1) + 1.0
        context_N = random.choice(len(starts), size=len(lengths), p=starts / starts.sum())
        longest = max(lengths, default=0)
        digits_NL = np.empty((len(lengths), self.order + longest), np.int64)
        for place in range(self.order):
            digits_NL[:, place] = context_N // 4 ** (self.order - 1 - place) % 4
        for place in range(self.order, self.order + longest):
            draws_N1 = random.random((len(lengths), 1))
            digits_NL[:, place] = (draws_N1 > steps_C4[context_N]).sum(1)
            context_N = (context_N * 4 + digits_NL[:, place]) % len(steps_C4)
        rows = _LETTERS[digits_NL[:, self.order :]]
        return [row[:length].tobytes().decode() for row, length in zip(rows, lengths)]
