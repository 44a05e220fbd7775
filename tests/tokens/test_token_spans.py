"""Values of tokens at the bases they cover."""

import numpy as np
import pytest

from genolm.tokens import base_to_token, published, token_to_base

SPANS = np.array([[0, 3], [3, 4], [4, 14]])


def test_every_base_gets_the_value_of_its_token():
    assert token_to_base(np.array([1.5, 2.5, 3.5]), SPANS).tolist() == [1.5] * 3 + [2.5] + [3.5] * 10
    assert token_to_base(np.arange(6).reshape(3, 2), SPANS)[3].tolist() == [2, 3]
    assert token_to_base(np.empty((0, 4)), np.empty((0, 2), np.int64)).shape == (0, 4)


def test_every_base_finds_its_token():
    assert base_to_token(np.arange(14), SPANS).tolist() == [0, 0, 0, 1, *[2] * 10]
    assert base_to_token(np.array([[13], [2]]), SPANS).tolist() == [[2], [0]]


def test_the_two_agree_on_a_sequence_with_a_gap():
    spans_T2 = published("t2t_1000h_multi_32k").spans("GATTACA" * 5 + "N" * 15 + "CCG")
    tokens = base_to_token(np.arange(53), spans_T2)
    assert np.array_equal(token_to_base(np.arange(len(spans_T2)), spans_T2), tokens)


@pytest.mark.parametrize("position", [-1, 14])
def test_a_base_without_a_token(position):
    with pytest.raises(ValueError, match="a position is not covered by any token"):
        base_to_token(np.array([position]), SPANS)


def test_values_for_other_tokens():
    with pytest.raises(ValueError, match="2 values for 3 tokens"):
        token_to_base(np.zeros(2), SPANS)
