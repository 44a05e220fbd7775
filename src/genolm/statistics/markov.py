"""Interpolated Markov models of order k, a baseline for DNA language models.

The probability of a base given its k predecessors interpolates between the observed frequency and the estimate of
order k - 1, ``p_k = (count + strength_k * p_(k-1)) / (total + strength_k)``; order -1 is uniform.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Digits = NDArray[np.int64]
STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)


@dataclass(frozen=True, slots=True)
class MarkovModel:
    """Counts of every order up to ``order``, with interpolation strengths.

    Attributes:
        counts: for each order k an array (4^k, 4): count of each base after each context; the first base of a context
            is its most significant digit.
        strengths: for each order, weight of the next lower order's estimate, as a number of observations.
    """

    counts: tuple[NDArray[np.int32], ...]
    strengths: tuple[float, ...]

    @property
    def order(self) -> int:
        """Length of the longest context, k."""
        return len(self.counts) - 1

    @classmethod
    def fit(
        cls,
        train: Sequence[Digits],
        validation: Sequence[Digits],
        order: int,
        offered: Sequence[float] = STRENGTHS,
    ) -> MarkovModel:
        """Count both strands of the training sequences, then choose each order's strength on the validation sequences.

        Args:
            train: sequences without ambiguous bases, as digits 0..3 in ACGT order.
            validation: sequences on which the strengths are chosen, from the lowest order up.
            order: length of the longest context.
            offered: candidate strengths.
        """
        counts = tuple(_count_both_strands(train, k) for k in range(order + 1))
        strengths: tuple[float, ...] = ()
        for _ in counts:
            strengths += (min(offered, key=lambda s: _loss(counts, (*strengths, s), validation)),)
        return cls(counts, strengths)

    def truncated(self, order: int) -> MarkovModel:
        """Return the model of a lower order with the same counts."""
        return MarkovModel(self.counts[: order + 1], self.strengths[: order + 1])

    def bits(self, digits: Digits) -> NDArray[np.float64]:
        """Return the surprisal of every base after the first ``order``, in bits, (length - order,)."""
        return -np.log2(_probabilities(self.counts, self.strengths, digits))


def _count_both_strands(runs: Iterable[Digits], order: int) -> NDArray[np.int32]:
    words = [_words(strand, order + 1) for digits in runs for strand in (digits, 3 - digits[::-1])]
    counts = np.bincount(np.concatenate(words), minlength=4 ** (order + 1))
    return counts.astype(np.int32).reshape(-1, 4)


def _words(digits: Digits, length: int) -> Digits:
    """Return all words of ``length`` bases as base-4 numbers, (len - length + 1,)."""
    count = max(0, len(digits) - length + 1)
    words = np.zeros(count, np.int64)
    for i in range(length):
        words = words * 4 + digits[i : i + count]
    return words


def _probabilities(
    counts: Sequence[NDArray[np.int32]], strengths: Sequence[float], digits: Digits
) -> NDArray[np.float64]:
    order = len(strengths) - 1
    estimate = np.full(max(0, len(digits) - order), 0.25)
    for k, strength in enumerate(strengths):
        words = _words(digits[order - k :], k + 1)
        observed = counts[k].reshape(-1)[words]
        total = counts[k].sum(1)[words // 4]
        estimate = (observed + strength * estimate) / (total + strength)
    return estimate


def _loss(counts: Sequence[NDArray[np.int32]], strengths: Sequence[float], runs: Sequence[Digits]) -> float:
    bits = [-np.log2(_probabilities(counts, strengths, digits)) for digits in runs]
    return float(np.concatenate(bits).mean())


def pseudocount_probabilities(counts: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the probability of each base after each context, one pseudocount per base, (4^k, 4).

    Args:
        counts: counts of the words of k + 1 bases, first base highest, (4^(k + 1),).
    """
    table = counts.reshape(-1, 4) + 1
    return np.asarray(table / table.sum(1, keepdims=True))
