"""Surprise of a Markov model of the genome itself, each stretch under the counts of the others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genolm.arrays import Float32
from genolm.genome.kmers import letters, stranded_kmers
from genolm.genome.sequence import reverse_complement

FOLDS = 5
FOLD_BLOCK = 10_000
"""Bases of the stretches that are dealt out to the folds in turn."""

Int64 = NDArray[np.int64]


class HeldOutMarkov:
    """Markov models of both strands of a genome, one for each fold, counted on the other folds.

    Every context is seen once more with each base.

    Args:
        order: bases that the next one depends on.
    """

    def __init__(self, order: int) -> None:
        self.order = order
        self._words = np.zeros((FOLDS, 4 ** (order + 1)), np.int64)
        self._blocks = 0
        self._firsts: dict[str, int] = {}

    def add(self, name: str, sequence: str) -> None:
        """Counts the words of a contig, of both strands."""
        self._firsts[name] = self._blocks
        self._blocks += -(-len(sequence) // FOLD_BLOCK)
        for words, whole, folds in self._strands(name, sequence):
            places = folds[whole] * self._words.shape[1] + words[whole].astype(np.int64)
            self._words += np.bincount(places, minlength=self._words.size).reshape(self._words.shape)

    def surprise(self, name: str, sequence: str) -> Float32:
        """The mean over both strands of -ln p of every base, nats; NaN where neither strand has one.

        Args:
            name: a contig that was added.
            sequence: its bases.
        """
        counts = (self._words.sum(0) - self._words + 1).reshape(FOLDS, -1, 4).astype(np.float64)
        table = -np.log(counts / counts.sum(2, keepdims=True)).reshape(FOLDS, -1)
        found = np.full((2, len(sequence)), np.nan)
        for reverse, (words, whole, folds) in enumerate(self._strands(name, sequence)):
            own = found[reverse, self.order :]
            own[whole] = table[folds[whole], words[whole].astype(np.int64)]
        found[1] = found[1, ::-1]
        known = ~np.isnan(found)
        with np.errstate(invalid="ignore"):
            return (np.where(known, found, 0).sum(0) / known.sum(0)).astype(np.float32)

    def _strands(self, name: str, sequence: str) -> list[tuple[NDArray[np.uint64], NDArray[np.bool_], Int64]]:
        """Of each strand, along it, the words, which are whole, and the fold of the base that each ends with."""
        folds = (self._firsts[name] + np.arange(len(sequence)) // FOLD_BLOCK) % FOLDS
        texts = (sequence, folds), (reverse_complement(sequence), folds[::-1])
        return [(*stranded_kmers(letters(text), self.order + 1), own[self.order :]) for text, own in texts]
