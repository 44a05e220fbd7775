"""The area under the receiver operating characteristic. M values, R weightings of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genolm.arrays import Float64


def auroc(values_M: Float64, positive_M: NDArray[np.bool_], weights_RM: Float64 | None = None) -> Float64:
    """The chance that a positive's value is above a negative's, equal ones counting half; (R,), NaN without a class.

    Args:
        values_M: no NaN.
        positive_M: the class of each.
        weights_RM: how often each counts; None for once, R being 1.
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
