"""Spans of a contig."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def true_runs(mask_L: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the maximal runs of True as spans, (runs, 2): start and end, 0-based half-open, in order."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask_L, [False])).astype(np.int8)))
    return edges.reshape(-1, 2).astype(np.int64)
