"""Area under the receiver operating characteristic. Shapes: M values, R resamples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genolm.arrays import Float64
from genolm.statistics.bootstrap import percentile_interval

_AT_A_TIME = 50  # resamples


def auroc(values_M: Float64, positive_M: NDArray[np.bool_], weights_RM: Float64 | None = None) -> Float64:
    """Return the AUROC of each resample, (R,): the probability that a positive has a higher value than a negative.

    Ties count half. The result is NaN if a class is empty.

    Args:
        values_M: the scores, without NaN.
        positive_M: whether each value belongs to the positive class.
        weights_RM: multiplicity of each value. Default: one resample (R = 1) with all values once.
    """
    weights = np.ones((1, len(values_M))) if weights_RM is None else weights_RM
    order = np.argsort(values_M, kind="stable")
    ordered = values_M[order]
    firsts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    above_RG = np.add.reduceat(weights[:, order] * positive_M[order], firsts, axis=1)
    below_RG = np.add.reduceat(weights[:, order] * ~positive_M[order], firsts, axis=1)
    lower_RG = np.cumsum(below_RG, axis=1) - below_RG / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((above_RG * lower_RG).sum(1) / (above_RG.sum(1) * below_RG.sum(1)))


def stratified_interval(positives: Float64, negatives: Float64, resamples: int, seed: int) -> tuple[float, float]:
    """Return the 95 % percentile interval of the AUROC, positives and negatives resampled separately."""
    values_M = np.concatenate([positives, negatives])
    positive_M = np.arange(len(values_M)) < len(positives)
    random = np.random.default_rng(seed)
    areas_R = np.concatenate(
        [
            auroc(values_M, positive_M, _stratified_weights((len(positives), len(negatives)), count, random))
            for count in _batches(resamples)
        ]
    )
    low, high = percentile_interval(areas_R)
    return float(low), float(high)


def _batches(resamples: int) -> list[int]:
    return [min(_AT_A_TIME, resamples - start) for start in range(0, resamples, _AT_A_TIME)]


def _stratified_weights(sizes: tuple[int, int], resamples: int, random: np.random.Generator) -> Float64:
    """Return how often each value occurs in each resample, (R, M)."""
    rows = [
        np.concatenate([np.bincount(random.integers(size, size=size), minlength=size) for size in sizes])
        for _ in range(resamples)
    ]
    return np.stack(rows).astype(np.float64)
