"""Sequences drawn from a Markov model of a reference: what its short words alone explain."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from genolm.genome.kmers import word_counts

MOST_ORDER = 10
_LETTERS = np.frombuffer(b"ACGT", np.uint8)


class MarkovChain:
    """A Markov model whose counts are those of both strands, each context with one more of every base.

    Args:
        order: bases that the next one depends on, 0 to 10.
    """

    def __init__(self, order: int) -> None:
        self.order = order
        self._words = np.zeros(4 ** (order + 1), np.int64)

    def add(self, sequences: Iterable[str]) -> None:
        """Counts the words of order + 1 bases of some sequences."""
        for sequence in sequences:
            self._words += word_counts(sequence, self.order + 1, both_strands=True)

    def draw(self, lengths: Sequence[int], random: np.random.Generator) -> list[str]:
        """One sequence for each length; it begins with a word of the reference."""
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
