"""Interpolated order-k Markov models: the baseline that every language model of DNA has to beat.

The probability of a base after its last k bases is a blend of the counted frequency and the order k - 1 estimate,
``p_k = (count + strength_k * p_(k-1)) / (total + strength_k)``, down to the uniform order -1.
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
    """Counts of every order up to ``order`` and the blending strengths.

    Attributes:
        counts: for each order k an array (4^k, 4): how often each base followed each context, first base highest.
        strengths: for each order, how many observations the next lower order's estimate is worth.
    """

    counts: tuple[NDArray[np.int32], ...]
    strengths: tuple[float, ...]

    @property
    def order(self) -> int:
        """The longest context k."""
        return len(self.counts) - 1

    @classmethod
    def fit(
        cls,
        train: Sequence[Digits],
        validation: Sequence[Digits],
        order: int,
        offered: Sequence[float] = STRENGTHS,
    ) -> MarkovModel:
        """Count both strands of the training runs, then choose each order's strength on the validation runs.

        Args:
            train: runs of bases as digits 0..3 in ACGT order.
            validation: runs on which the strengths are chosen, shortest order first.
            order: the longest context.
            offered: the strengths to choose from.
        """
        counts = tuple(_count_both_strands(train, k) for k in range(order + 1))
        strengths: tuple[float, ...] = ()
        for _ in counts:
            strengths += (min(offered, key=lambda s: _loss(counts, (*strengths, s), validation)),)
        return cls(counts, strengths)

    def truncated(self, order: int) -> MarkovModel:
        """The model of a lower order out of the same counts."""
        return MarkovModel(self.counts[: order + 1], self.strengths[: order + 1])

    def bits(self, digits: Digits) -> NDArray[np.float64]:
        """Negative log2 probability of every base of a run from the ``order``-th on, (length - order,)."""
        return -np.log2(_probabilities(self.counts, self.strengths, digits))


def _count_both_strands(runs: Iterable[Digits], order: int) -> NDArray[np.int32]:
    words = [_words(strand, order + 1) for digits in runs for strand in (digits, 3 - digits[::-1])]
    counts = np.bincount(np.concatenate(words), minlength=4 ** (order + 1))
    return counts.astype(np.int32).reshape(-1, 4)


def _words(digits: Digits, length: int) -> Digits:
    """Every word of ``length`` bases as a base-4 number, (len - length + 1,)."""
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
        seen = counts[k].reshape(-1)[words]
        total = counts[k].sum(1)[words // 4]
        estimate = (seen + strength * estimate) / (total + strength)
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
