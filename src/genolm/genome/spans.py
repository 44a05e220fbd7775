"""Stretches of a contig in which something holds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def true_runs(mask_L: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The longest stretches of True, (stretches, 2): start and end of each, 0-based, half-open, in order."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask_L, [False])).astype(np.int8)))
    return edges.reshape(-1, 2).astype(np.int64)
