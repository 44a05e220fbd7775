"""Separation of two classes of windows by signals, with block bootstrap intervals.

Shapes: M windows, N blocks, R resamples.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genolm.arrays import Float64
from genolm.statistics.auroc import auroc
from genolm.statistics.bootstrap import Estimate

_RESAMPLES = 1000
_CHUNK = 50
_QUANTILES = (0.025, 0.975)


def separations(
    signals: Mapping[str, Float64], positive_M: NDArray[np.bool_], blocks_M: NDArray[np.int64], against: str, seed: int
) -> dict[str, dict[str, Any]]:
    """Return the AUROC of every signal and its difference from that of a reference signal, with 95 % intervals.

    Args:
        signals: values of every window by name of the signal, (M,) each; higher values predict the positive class.
        positive_M: whether each window belongs to the positive class.
        blocks_M: genomic block of each window, the resampling unit.
        against: name of the reference signal.
        seed: random seed.
    """
    number_M = np.unique(blocks_M, return_inverse=True)[1]
    count = int(number_M.max()) + 1
    random = np.random.default_rng(seed)
    weights_RN = random.multinomial(count, np.full(count, 1 / count), size=_RESAMPLES)
    resampled = {name: _resampled(values, positive_M, weights_RN, number_M) for name, values in signals.items()}
    exact = {name: float(auroc(values, positive_M)[0]) for name, values in signals.items()}
    return {
        name: {
            "auroc": _interval(exact[name], resampled[name]),
            **(
                {f"above_{against}": _interval(exact[name] - exact[against], resampled[name] - resampled[against])}
                if name != against
                else {}
            ),
        }
        for name in signals
    }


def _resampled(
    values_M: Float64, positive_M: NDArray[np.bool_], weights_RN: NDArray[np.int64], number_M: NDArray[np.int64]
) -> Float64:
    chunks = [
        auroc(values_M, positive_M, weights_RN[start : start + _CHUNK][:, number_M].astype(np.float64))
        for start in range(0, len(weights_RN), _CHUNK)
    ]
    return np.concatenate(chunks)


def _interval(value: float, values_R: Float64) -> dict[str, float]:
    finite = values_R[np.isfinite(values_R)]
    low, high = np.quantile(finite, _QUANTILES) if finite.size else (np.nan, np.nan)
    return Estimate(value, float(low), float(high))._asdict()
