"""Pooling: exact with padding on either side, in fp32, and for joined windows."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genolm.errors import InputError
from genolm.tasks.reading.pooling import Pooling

NAMES = ("mean", "max", "min", "last", "none")
VECTORS = torch.tensor([[1.0, -2.0], [3.0, -4.0], [8.0, -9.0]])
EXPECTED = {
    "mean": [4.0, -5.0],
    "max": [8.0, -2.0],
    "min": [1.0, -9.0],
    "last": [8.0, -9.0],
    "none": VECTORS.tolist(),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("filler", [0.0, 1e30, -1e30, float("inf"), float("nan")])
def test_known_answer_whatever_the_padding(name, side, filler):
    pads = torch.full((2, 2), filler)
    real, pad = torch.ones(3, dtype=torch.bool), torch.zeros(2, dtype=torch.bool)
    parts = [(pads, pad), (VECTORS, real)] if side == "left" else [(VECTORS, real), (pads, pad)]
    x, mask = (torch.cat(pieces)[None] for pieces in zip(*parts))
    (found,) = Pooling(name).reduce(x, mask)
    np.testing.assert_array_equal(found, np.array(EXPECTED[name], np.float32))


def test_mean_of_bf16_is_taken_in_fp32():
    x = torch.full((1, 4096, 1), 1.0, dtype=torch.bfloat16)
    x[0, 0] = 3.0
    (found,) = Pooling("mean").reduce(x, torch.ones(1, 4096, dtype=torch.bool))
    assert found.dtype == np.float32
    assert found[0] == np.float32(1 + 2 / 4096)


@given(st.sampled_from(NAMES), st.lists(st.integers(1, 6), min_size=1, max_size=5), st.integers(0, 99))
def test_joined_windows_equal_all_tokens(name, sizes, seed):
    x = torch.randn(1, sum(sizes), 3, generator=torch.Generator().manual_seed(seed))
    pooling = Pooling(name)

    def reduce(part):
        return pooling.reduce(part, torch.ones(part.shape[:2], dtype=torch.bool))[0]

    joined = pooling.join([reduce(part) for part in x.split(sizes, 1)], sizes)
    assert joined.dtype == np.float32
    np.testing.assert_allclose(joined, reduce(x), atol=1e-6)


def test_strands_are_averaged_and_unpooled_ones_turned_round():
    forward, reverse = np.float32([[1.0], [2.0]]), np.float32([[5.0], [8.0]])
    np.testing.assert_array_equal(Pooling("mean").both_strands(forward[0], reverse[0]), [3.0])
    np.testing.assert_array_equal(Pooling("none").both_strands(forward, reverse), [[4.5], [3.5]])


def test_an_unknown_pooling_is_refused():
    with pytest.raises(InputError, match=r"pooling must be one of mean, .*, none, bases \(value 'median'\)"):
        Pooling("median")
