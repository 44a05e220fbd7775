"""Area under the receiver operating characteristic. Shapes: M values, R resamples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genolm.arrays import Float64


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
