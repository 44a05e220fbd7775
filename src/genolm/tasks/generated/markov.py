"""Sequences drawn from a Markov model of a reference: what its short words alone explain."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from genolm.genome.kmers import letters, stranded_kmers

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
            codes, whole = stranded_kmers(letters(sequence), self.order + 1)
            self._words += np.bincount(codes[whole], minlength=len(self._words))

    def draw(self, lengths: Sequence[int], random: np.random.Generator) -> list[str]:
        """One sequence for each length; it begins with a word of the reference."""
        both = self._words + self._words[_reversed(self.order + 1)]
        steps_C4 = np.cumsum((both + 1).reshape(-1, 4), axis=1, dtype=np.float64)
        steps_C4 /= steps_C4[:, -1:]
        starts = both.reshape(-1, 4).sum(1) + 1.0
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


def _reversed(k: int) -> NDArray[np.int64]:
    """The number of each k-mer's reverse complement."""
    rest, turned = np.arange(4**k), np.zeros(4**k, np.int64)
    for _ in range(k):
        turned, rest = turned * 4 + 3 - rest % 4, rest // 4
    return turned
