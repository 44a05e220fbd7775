"""Metrics of a detector on genomes that were not in its training data, with confidence intervals.

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
    """Metrics of a detector; NaN if one class is missing.

    The first three are computed from scores before calibration, which preserves their order unless it is flat.

    Attributes:
        auroc: probability that a generated sequence scores above a natural one, ties counted half.
        tpr_at_1: share of generated sequences that score above all but 1 % of the tested natural ones.
        tpr_at_5: share of generated sequences that score above all but 5 % of the tested natural ones.
        tpr: true-positive rate at the threshold chosen in training.
        fpr: false-positive rate at that threshold.
        f1: harmonic mean of precision and recall at that threshold; depends on the class sizes.
        f1_at_half: the same at a probability of 0.5.
        brier: mean squared error of probabilities, classes weighted equally; 0.25 for a constant 0.5.
        calibration_error: expected calibration error over ten bins, classes weighted equally.
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
    """Predictions of a detector for samples that it was not trained on.

    Attributes:
        score_N: scores before calibration.
        probability_N: calibrated probabilities of being generated.
        called_N: whether each sample is called generated.
    """

    score_N: Float64
    probability_N: Float64
    called_N: Bools

    def of(self, rows: Ints | Bools) -> Outcome:
        """Return the predictions of a subset of the samples."""
        return Outcome(self.score_N[rows], self.probability_N[rows], self.called_N[rows])


def scores(outcome: Outcome, generated_N: Bools) -> Scores:
    """Return the metrics of samples.

    Args:
        outcome: predictions.
        generated_N: labels.
    """
    probability_N, called_N = outcome.probability_N, outcome.called_N
    natural, generated = outcome.score_N[~generated_N], outcome.score_N[generated_N]
    if not len(natural) or not len(generated):
        return Scores(*[float("nan")] * len(Scores._fields))
    true, false = float(called_N[generated_N].mean()), float(called_N[~generated_N].mean())
    weight_N = np.where(generated_N, 0.5 / len(generated), 0.5 / len(natural))
    return Scores(
        float(auroc(outcome.score_N, generated_N)[0]),
        _tpr_at(natural, generated, 0.01),
        _tpr_at(natural, generated, 0.05),
        true,
        false,
        _f1(called_N, generated_N),
        _f1(probability_N > 0.5, generated_N),
        float((weight_N * (probability_N - generated_N) ** 2).sum()),
        _calibration_error(probability_N, generated_N, weight_N),
    )


def _f1(called_N: Bools, generated_N: Bools) -> float:
    return 2 * float((called_N & generated_N).sum()) / float(called_N.sum() + generated_N.sum())


def _tpr_at(natural: Float64, generated: Float64, rate: float) -> float:
    """Return the share of generated sequences above the threshold that at most ``rate`` of the natural ones exceed."""
    return float((generated > np.quantile(natural, 1 - rate, method="higher")).mean())


def _calibration_error(probability_N: Float64, generated_N: Bools, weight_N: Float64) -> float:
    bins = np.minimum((probability_N * _BINS).astype(np.int64), _BINS - 1)
    predicted = np.bincount(bins, weight_N * probability_N, _BINS)
    true = np.bincount(bins, weight_N * generated_N, _BINS)
    return float(np.abs(predicted - true).sum())


def with_intervals(outcome: Outcome, generated_N: Bools, group_N: Ints, seed: int) -> dict[str, Any]:
    """Return the metrics as ``name``, ``name_low``, ``name_high``: 95 % interval from resampled genomes, or None.

    Args:
        outcome: predictions.
        generated_N: labels.
        group_N: group of genomes of each sample, resampled together.
        seed: random seed of the resampling.
    """
    value = scores(outcome, generated_N)
    missing = np.full(len(Scores._fields), np.nan)
    resamples = _RESAMPLES if len(np.unique(group_N)) > 1 else 0
    sampled = [scores(outcome.of(rows), generated_N[rows]) for rows in resampled_groups(group_N, resamples, seed)]
    values = np.array(sampled).reshape(-1, len(Scores._fields))
    known = values[np.isfinite(values).all(1)]
    low, high = percentile_interval(known, axis=0) if len(known) > 1 else (missing, missing)
    metrics: dict[str, Any] = {"natural": int((~generated_N).sum()), "generated": int(generated_N.sum())}
    for name, one, below, above in zip(Scores._fields, value, low, high):
        metrics |= {
            name: finite_or_none(one),
            f"{name}_low": finite_or_none(below),
            f"{name}_high": finite_or_none(above),
        }
    return metrics


def length_bins(lengths_N: Ints, edges: Sequence[int]) -> list[tuple[str, Bools]]:
    """Return the names of non-empty length bins, such as ``500-999``, and their samples."""
    bounds = [0, *sorted(edges), int(lengths_N.max()) + 1]
    bins = []
    for low, high in pairwise(bounds):
        inside = (lengths_N >= low) & (lengths_N < high)
        if inside.any():
            bins.append((f"{low}-{high - 1}", inside))
    return bins
