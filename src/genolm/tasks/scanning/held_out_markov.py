"""Surprisal under a Markov model of the genome, cross-validated over blocks.

A model of fixed order with a pseudocount of one per base. Unlike the interpolated models of
`genolm.statistics.markov`, it has no smoothing strengths to fit on validation sequence, so that all sequence can be
scored by models of the other folds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genolm.arrays import Float32
from genolm.genome.kmers import letters, stranded_kmers
from genolm.genome.sequence import reverse_complement

FOLDS = 5
FOLD_BLOCK = 10_000
"""Length in bases of the blocks that are assigned to the folds in turn."""

Int64 = NDArray[np.int64]


class HeldOutMarkov:
    """Markov models of both strands of a genome, one per fold, with the counts of the other folds.

    Args:
        order: length of the context in bases.
    """

    def __init__(self, order: int) -> None:
        self.order = order
        self._words = np.zeros((FOLDS, 4 ** (order + 1)), np.int64)
        self._blocks = 0
        self._firsts: dict[str, int] = {}

    def add(self, name: str, sequence: str) -> None:
        """Count the k-mers of both strands of a contig."""
        self._firsts[name] = self._blocks
        self._blocks += -(-len(sequence) // FOLD_BLOCK)
        for words, known, folds in self._strands(name, sequence):
            indices = folds[known] * self._words.shape[1] + words[known].astype(np.int64)
            self._words += np.bincount(indices, minlength=self._words.size).reshape(self._words.shape)

    def surprisal(self, name: str, sequence: str) -> Float32:
        """Return -ln p of each base in nats, averaged over both strands; NaN if neither strand has a value.

        Args:
            name: name of a contig that was added.
            sequence: bases of the contig.
        """
        counts = (self._words.sum(0) - self._words + 1).reshape(FOLDS, -1, 4).astype(np.float64)
        table = -np.log(counts / counts.sum(2, keepdims=True)).reshape(FOLDS, -1)
        values = np.full((2, len(sequence)), np.nan)
        for reverse, (words, known, folds) in enumerate(self._strands(name, sequence)):
            values[reverse, self.order :][known] = table[folds[known], words[known].astype(np.int64)]
        values[1] = values[1, ::-1]
        present = ~np.isnan(values)
        with np.errstate(invalid="ignore"):
            return (np.where(present, values, 0).sum(0) / present.sum(0)).astype(np.float32)

    def _strands(self, name: str, sequence: str) -> list[tuple[NDArray[np.uint64], NDArray[np.bool_], Int64]]:
        """Return for each strand the k-mers, a mask of those without N, and the fold of the last base of each."""
        folds = (self._firsts[name] + np.arange(len(sequence)) // FOLD_BLOCK) % FOLDS
        texts = (sequence, folds), (reverse_complement(sequence), folds[::-1])
        return [(*stranded_kmers(letters(text), self.order + 1), fold[self.order :]) for text, fold in texts]
