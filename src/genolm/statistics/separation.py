"""How well values of windows tell two classes apart, with intervals from resampled blocks. M windows, R resamples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genolm.arrays import Float64
from genolm.statistics.auroc import auroc
from genolm.statistics.bootstrap import Estimate

_RESAMPLES = 1000
_AT_A_TIME = 50
_COVERED = (0.025, 0.975)


def separations(
    signals: Mapping[str, Float64], positive_M: NDArray[np.bool_], blocks_M: NDArray[np.int64], against: str, seed: int
) -> dict[str, dict[str, Any]]:
    """AUROC of every signal and what it is above that of one of them, each with a 95 % interval.

    Args:
        signals: values of every window, (M,) each; higher means positive.
        positive_M: the class of each window.
        blocks_M: the block of the genome that each lies in; whole blocks are resampled.
        against: the signal that the others are compared with.
        seed: of the resampling.
    """
    number_M = np.unique(blocks_M, return_inverse=True)[1]
    count = int(number_M.max()) + 1
    random = np.random.default_rng(seed)
    weights_RN = random.multinomial(count, np.full(count, 1 / count), size=_RESAMPLES)
    drawn = {name: _resampled(values, positive_M, weights_RN, number_M) for name, values in signals.items()}
    once = np.ones((1, len(positive_M)))
    exact = {name: float(auroc(values, positive_M, once)[0]) for name, values in signals.items()}
    return {
        name: {
            "auroc": _interval(exact[name], drawn[name]),
            **(
                {f"above_{against}": _interval(exact[name] - exact[against], drawn[name] - drawn[against])}
                if name != against
                else {}
            ),
        }
        for name in signals
    }


def _resampled(
    values_M: Float64, positive_M: NDArray[np.bool_], weights_RN: NDArray[np.int64], number_M: NDArray[np.int64]
) -> Float64:
    pieces = [
        auroc(values_M, positive_M, weights_RN[start : start + _AT_A_TIME][:, number_M].astype(np.float64))
        for start in range(0, len(weights_RN), _AT_A_TIME)
    ]
    return np.concatenate(pieces)


def _interval(value: float, drawn_R: Float64) -> dict[str, float]:
    known = drawn_R[np.isfinite(drawn_R)]
    low, high = np.quantile(known, _COVERED) if known.size else (np.nan, np.nan)
    return Estimate(value, float(low), float(high))._asdict()
