"""How well scores tell generated from natural sequence, on genomes that had no part in training; with intervals.

N samples, R resamples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolm.arrays import Float64
from genolm.statistics.auroc import auroc
from genolm.statistics.bootstrap import finite_or_none, percentile_interval, resampled_groups

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_RESAMPLES = 300
_BINS = 10


class Scores(NamedTuple):
    """Figures of a detector; NaN where one kind of sequence is missing.

    The first three are of scores before calibration, which keeps their order or, where it is flat, loses it.

    Attributes:
        auroc: chance that a generated sequence scores above a natural one, ties half.
        tpr_at_1: share of generated sequences above all but 1 % of the natural ones that were tested.
        tpr_at_5: the same, above all but 5 %.
        tpr: share of generated sequences that are called so, at the threshold fixed in training.
        fpr: share of natural sequences that are called generated there.
        f1: harmonic mean of precision and recall there; depends on how many of each kind there are.
        f1_at_half: the same where the probability is above one half.
        brier: mean squared error of probabilities, both kinds counted as if equally many; 0.25 knows nothing.
        calibration_error: mean difference of probability and share generated, over ten bins, likewise balanced.
    """

    auroc: float
    tpr_at_1: float
    tpr_at_5: float
    tpr: float
    fpr: float
    f1: float
    f1_at_half: float
    brier: float
    calibration_error: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a detector said of samples that it was not trained on.

    Attributes:
        score_N: scores before calibration.
        probability_N: calibrated probabilities of being generated.
        called_N: which are called generated.
    """

    score_N: Float64
    probability_N: Float64
    called_N: Bools

    def of(self, rows: Ints | Bools) -> Outcome:
        """Of some samples."""
        return Outcome(self.score_N[rows], self.probability_N[rows], self.called_N[rows])


def scores(outcome: Outcome, generated_N: Bools) -> Scores:
    """The figures of some samples.

    Args:
        outcome: what was said of them.
        generated_N: the truth.
    """
    probability_N, called_N = outcome.probability_N, outcome.called_N
    natural, made = outcome.score_N[~generated_N], outcome.score_N[generated_N]
    if not len(natural) or not len(made):
        return Scores(*[float("nan")] * len(Scores._fields))
    true, false = float(called_N[generated_N].mean()), float(called_N[~generated_N].mean())
    weight_N = np.where(generated_N, 0.5 / len(made), 0.5 / len(natural))
    return Scores(
        float(auroc(outcome.score_N, generated_N)[0]),
        _caught_at(natural, made, 0.01),
        _caught_at(natural, made, 0.05),
        true,
        false,
        _f1(called_N, generated_N),
        _f1(probability_N > 0.5, generated_N),
        float((weight_N * (probability_N - generated_N) ** 2).sum()),
        _calibration_error(probability_N, generated_N, weight_N),
    )


def _f1(called_N: Bools, generated_N: Bools) -> float:
    return 2 * float((called_N & generated_N).sum()) / float(called_N.sum() + generated_N.sum())


def _caught_at(natural: Float64, made: Float64, rate: float) -> float:
    """Share of generated sequences above the threshold that at most ``rate`` of the natural ones exceed."""
    return float((made > np.quantile(natural, 1 - rate, method="higher")).mean())


def _calibration_error(probability_N: Float64, generated_N: Bools, weight_N: Float64) -> float:
    bins = np.minimum((probability_N * _BINS).astype(np.int64), _BINS - 1)
    told = np.bincount(bins, weight_N * probability_N, _BINS)
    true = np.bincount(bins, weight_N * generated_N, _BINS)
    return float(np.abs(told - true).sum())


def with_intervals(outcome: Outcome, generated_N: Bools, group_N: Ints, seed: int) -> dict[str, Any]:
    """The figures, each as ``name``, ``name_low``, ``name_high``: 95 % from resampled genomes, or None.

    Args:
        outcome: what was said of the samples.
        generated_N: the truth.
        group_N: number of the genomes that samples belong to, resampled together.
        seed: of the resampling.
    """
    value = scores(outcome, generated_N)
    missing = np.full(len(Scores._fields), np.nan)
    resamples = _RESAMPLES if len(np.unique(group_N)) > 1 else 0
    sampled = [scores(outcome.of(rows), generated_N[rows]) for rows in resampled_groups(group_N, resamples, seed)]
    values = np.array(sampled).reshape(-1, len(Scores._fields))
    known = values[np.isfinite(values).all(1)]
    low, high = percentile_interval(known, axis=0) if len(known) > 1 else (missing, missing)
    found: dict[str, Any] = {"natural": int((~generated_N).sum()), "generated": int(generated_N.sum())}
    for name, one, below, above in zip(Scores._fields, value, low, high):
        found |= {
            name: finite_or_none(one),
            f"{name}_low": finite_or_none(below),
            f"{name}_high": finite_or_none(above),
        }
    return found


def length_bins(lengths_N: Ints, edges: Sequence[int]) -> list[tuple[str, Bools]]:
    """Names of bins with samples in them, as ``500-999``, and which samples those are."""
    bounds = [0, *sorted(edges), int(lengths_N.max()) + 1]
    found = []
    for low, high in pairwise(bounds):
        inside = (lengths_N >= low) & (lengths_N < high)
        if inside.any():
            found.append((f"{low}-{high - 1}", inside))
    return found
