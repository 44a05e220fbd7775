"""Block bootstrap of means and correlations along a sequence.

Neighbouring bases are not independent, so confidence intervals are computed by resampling blocks of consecutive bases.
Only the sums of each block are stored, so memory does not grow with the number of bases per block.

Shapes: L positions, N blocks, K sums, R resamples (table of counts in `cramers_v`: R rows, C columns).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolm.arrays import Float64

BLOCK = 200
"""Number of bases per block."""

_RESAMPLES = 1000
_MAX_BLOCKS = 4096
_QUANTILES = (0.025, 0.975)
_LEVELS = ((1 - 0.95) / 2, (1 + 0.95) / 2)  # differs from 0.025 in the last bit


class Estimate(NamedTuple):
    """A value with its 95 % confidence interval; the bounds are NaN if there are too few blocks."""

    value: float
    low: float
    high: float


def estimate(sums_NK: Float64, statistic: Callable[[Float64], Float64], seed: int = 0) -> Estimate:
    """Return a statistic of block sums with its bootstrap percentile interval.

    Args:
        sums_NK: sums of each block.
        statistic: function from total sums (R, K) to values (R,).
        seed: random seed.
    """
    value = float(statistic(sums_NK.sum(0, keepdims=True))[0])
    blocks_NK = _merged_blocks(sums_NK)
    if len(blocks_NK) < 2:
        return Estimate(value, float("nan"), float("nan"))
    random = np.random.default_rng(seed)
    probabilities = np.full(len(blocks_NK), 1 / len(blocks_NK))
    weights_RN = random.multinomial(len(blocks_NK), probabilities, size=_RESAMPLES).astype(np.float64)
    resampled = statistic(weights_RN @ blocks_NK)
    finite = resampled[np.isfinite(resampled)]
    if not finite.size:
        return Estimate(value, float("nan"), float("nan"))
    low, high = np.quantile(finite, _QUANTILES)
    return Estimate(value, float(low), float(high))


def ratio(above: int, below: int) -> Callable[[Float64], Float64]:
    """Return the statistic that divides sum ``above`` by sum ``below``, such as a mean.

    Args:
        above: index of the numerator among the K sums.
        below: index of the denominator.
    """

    def statistic(sums_RK: Float64) -> Float64:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(sums_RK[:, above] / sums_RK[:, below])

    return statistic


def correlation(sums_RK: Float64) -> Float64:
    """Return Pearson's r from the sums of :func:`products`; NaN if a series is constant."""
    n, x, y, xx, yy, xy = sums_RK.T
    with np.errstate(invalid="ignore", divide="ignore"):
        variance_x, variance_y = xx / n - (x / n) ** 2, yy / n - (y / n) ** 2
        covariance = xy / n - (x / n) * (y / n)
        r = covariance / np.sqrt(variance_x * variance_y)
    # Rounding gives a constant series a tiny variance.
    constant = (variance_x <= 1e-12 * (xx / n)) | (variance_y <= 1e-12 * (yy / n))
    return np.asarray(np.where(constant, np.nan, r))


def products(x: NDArray[np.floating], y: NDArray[np.floating], block: int = BLOCK) -> Float64:
    """Return n and the sums of x, y, x², y² and x y for every block of two series, (N, 6), without NaN."""
    both = ~(np.isnan(x) | np.isnan(y))
    x, y = np.where(both, x, 0).astype(np.float64), np.where(both, y, 0).astype(np.float64)
    columns = np.stack((both.astype(np.float64), x, y, x * x, y * y, x * y), 1)
    return block_sums(columns, block)


def block_sums(columns_LK: Float64, block: int = BLOCK) -> Float64:
    """Return sums over blocks of consecutive rows, (N, K); the last block may be shorter."""
    if not len(columns_LK):
        return np.empty((0, columns_LK.shape[1]))
    return np.asarray(np.add.reduceat(columns_LK, np.arange(0, len(columns_LK), block), axis=0))


def rank_correlation(x: Float64, y: Float64) -> float:
    """Return Spearman's rho of two series, omitting pairs with NaN; NaN if a series is constant or too few remain."""
    both = ~(np.isnan(x) | np.isnan(y))
    if both.sum() < 2:
        return float("nan")
    return float(correlation(products(_ranks(x[both]), _ranks(y[both]), int(both.sum())))[0])


def _ranks(values: Float64) -> Float64:
    """Return ranks; ties have their mean rank."""
    _, groups, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[groups])


def _merged_blocks(sums_NK: Float64) -> Float64:
    """Merge neighbouring blocks until there are at most `_MAX_BLOCKS`, to bound the cost of resampling."""
    step = -(-len(sums_NK) // _MAX_BLOCKS)
    return sums_NK if step <= 1 else block_sums(sums_NK, step)


def cramers_v(counts_RC: Float64) -> tuple[float, float]:
    """Return chi-square and Cramér's V of a table of counts; 0 if fewer than two rows or columns have counts."""
    table = counts_RC[counts_RC.sum(1) > 0][:, counts_RC.sum(0) > 0]
    if min(table.shape) < 2:
        return 0.0, 0.0
    total = table.sum()
    expected = table.sum(1, keepdims=True) * table.sum(0, keepdims=True) / total
    chi_square = float(((table - expected) ** 2 / expected).sum())
    return chi_square, float(np.sqrt(chi_square / (total * (min(table.shape) - 1))))


def entropy(shares: Float64) -> float:
    """Return the entropy of fractions that sum to one, in nats."""
    positive = shares[shares > 0]
    return float(-(positive * np.log(positive)).sum())


def entropy_bits(shares: Float64) -> float:
    """Return the entropy of shares that sum to one, bits."""
    positive = shares[shares > 0]
    return float(-(positive * np.log2(positive)).sum())


def percentile_interval(
    values_R: Float64, quantiles: tuple[float, float] = _QUANTILES, axis: int | None = None
) -> tuple[Any, Any]:
    """Return the lower and upper quantile of resampled values; along an axis, arrays of them.

    Args:
        values_R: the statistic of every resample, finite.
        quantiles: probabilities of the two ends; the default leaves a 95 % interval.
        axis: axis of the resamples; None for all values.
    """
    low, high = np.quantile(values_R, quantiles, axis=axis)
    return low, high


def mean_estimate(values_N: Float64, seed: int, resamples: int = 2_000) -> Estimate:
    """Return the mean of independent values and its 95 % percentile interval; no interval for fewer than two values."""
    if len(values_N) < 2:
        return Estimate(float(values_N.mean()) if len(values_N) else math.nan, math.nan, math.nan)
    random = np.random.default_rng(seed)
    means_R = values_N[random.integers(len(values_N), size=(resamples, len(values_N)))].mean(1)
    low, high = percentile_interval(means_R, _LEVELS)
    return Estimate(float(values_N.mean()), float(low), float(high))


def resampled_groups(group_N: NDArray[np.int64], resamples: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield the row indices of bootstrap resamples in which rows of one group stay together.

    Args:
        group_N: group of each row.
        resamples: number of resamples.
        seed: random seed.
    """
    groups, number_N = np.unique(group_N, return_inverse=True)
    members = [np.flatnonzero(number_N == group) for group in range(len(groups))]
    random = np.random.default_rng(seed)
    for _ in range(resamples):
        yield np.concatenate([members[group] for group in random.integers(len(groups), size=len(groups))])


def finite_or_none(value: float) -> float | None:
    """Return a number, or None for NaN and infinity, which JSON lacks."""
    return float(value) if np.isfinite(value) else None
