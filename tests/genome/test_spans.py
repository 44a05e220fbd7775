"""Stretches of True."""

import numpy as np
import pytest

from genolm.genome.spans import true_runs


@pytest.mark.parametrize(
    ("mask", "runs"),
    [
        ([], []),
        ([0, 0], []),
        ([1], [[0, 1]]),
        ([1, 1, 0, 1, 0, 0, 1], [[0, 2], [3, 4], [6, 7]]),
        ([0, 1, 1, 0], [[1, 3]]),
    ],
)
def test_runs_begin_and_end_where_the_mask_changes(mask, runs):
    assert true_runs(np.array(mask, bool)).tolist() == runs
