"""Principal components. N rows, D dimensions, C components."""

from __future__ import annotations

import numpy as np

from genolm.arrays import Float64


def principal_components(values_ND: Float64, count: int) -> tuple[Float64, Float64]:
    """Return the first principal components and their shares of the variance, (N, C) and (C,).

    The sign of each component makes its largest loading positive.

    Args:
        values_ND: one row per sample.
        count: maximum number of components.
    """
    centred = values_ND - values_ND.mean(0)
    left, singular, loadings = np.linalg.svd(centred, full_matrices=False)
    signs = np.sign(loadings[np.arange(len(loadings)), np.abs(loadings).argmax(1)])
    shares = singular**2 / max(float((singular**2).sum()), 1e-12)
    return np.asarray((left * singular * signs)[:, :count]), np.asarray(shares[:count])
