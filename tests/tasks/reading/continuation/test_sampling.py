"""Sampling: known probabilities, exact draws, random numbers per sequence."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genolm.errors import InputError
from genolm.tasks.reading.continuation.sampling import Sampler, draw, random_stream

PROBABILITIES = torch.tensor([[0.1, 0.4, 0.2, 0.3]], dtype=torch.float64)
NOTHING = torch.zeros(1, 4, dtype=torch.bool)


def probabilities(log_probs=None, written=NOTHING, **settings):
    return Sampler(**settings).probabilities(PROBABILITIES.log() if log_probs is None else log_probs, written)[0]


def close(found, expected):
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), atol=1e-6, rtol=1e-6)


def test_by_default_the_model_is_sampled_as_it_is():
    close(probabilities(), [0.1, 0.4, 0.2, 0.3])


def test_temperature_sharpens_and_flattens():
    squares = np.square([0.1, 0.4, 0.2, 0.3])
    close(probabilities(temperature=0.5), (squares / squares.sum()).tolist())
    close(probabilities(temperature=1e6), [0.25] * 4)


def test_temperature_zero_takes_the_likeliest_and_of_equals_the_first():
    close(probabilities(temperature=0), [0.0, 1.0, 0.0, 0.0])
    close(probabilities(torch.tensor([[0.2, 0.4, 0.0, 0.4]]).log(), temperature=0), [0.0, 1.0, 0.0, 0.0])


def test_top_k_keeps_the_k_likeliest():
    close(probabilities(top_k=1), [0.0, 1.0, 0.0, 0.0])
    close(probabilities(top_k=2), [0.0, 4 / 7, 0.0, 3 / 7])
    close(probabilities(top_k=9), [0.1, 0.4, 0.2, 0.3])
    close(probabilities(torch.zeros(1, 4), top_k=2), [0.5, 0.5, 0.0, 0.0])


def test_top_p_keeps_the_nucleus():
    close(probabilities(top_p=0.0), [0.0, 1.0, 0.0, 0.0])
    close(probabilities(top_p=0.39), [0.0, 1.0, 0.0, 0.0])
    close(probabilities(top_p=0.41), [0.0, 4 / 7, 0.0, 3 / 7])
    close(probabilities(top_p=0.95), [0.1, 0.4, 0.2, 0.3])


def test_top_p_is_of_what_top_k_left():
    close(probabilities(top_k=2, top_p=0.5), [0.0, 1.0, 0.0, 0.0])


def test_repetition_penalty_squares_what_was_written():
    written = torch.tensor([[False, True, False, False]])
    found = probabilities(written=written, repetition_penalty=2.0)
    weights = np.array([0.1, 0.16, 0.2, 0.3])
    close(found, (weights / weights.sum()).tolist())
    close(probabilities(written=NOTHING, repetition_penalty=2.0), [0.1, 0.4, 0.2, 0.3])


@given(
    st.lists(st.floats(-8, 0, width=32), min_size=4, max_size=4),
    st.floats(0, 4),
    st.integers(0, 5),
    st.floats(0, 1),
    st.floats(0, 1, exclude_max=True),
)
def test_rows_add_up_to_one_and_only_what_may_be_drawn_is(values, temperature, top_k, top_p, uniform):
    sampler = Sampler(temperature=temperature, top_k=top_k, top_p=top_p)
    found = sampler.probabilities(torch.tensor([values]), NOTHING)
    assert found.sum().item() == pytest.approx(1)
    assert found[0, draw(found, torch.tensor([uniform], dtype=torch.float64))] > 0


RULES = [
    {},
    {"temperature": 0},
    {"temperature": 0.6},
    {"top_k": 7},
    {"top_p": 0.8},
    {"top_k": 30, "top_p": 0.9, "temperature": 1.4},
    {"repetition_penalty": 1.7, "top_p": 0.95},
    {"top_k": 500},
    {"top_k": 270},
]


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("steps", [0, 4])
def test_choosing_from_a_vocabulary_draws_from_the_probabilities(rules, steps):
    """Also with equal scores (``steps``) and with excluded tokens."""
    generator = torch.Generator().manual_seed(3)
    scores = torch.randn(200, 300, generator=generator)
    scores = (scores * steps).round() / steps if steps else scores
    scores[:, ::5] = float("-inf")
    written = torch.rand(200, 300, generator=generator) < 0.1
    numbers = torch.rand(200, generator=generator, dtype=torch.float64)
    before = scores.clone()
    found = Sampler(**rules).choose(scores, written, numbers)
    wanted = draw(Sampler(**rules).probabilities(scores, written), numbers)
    assert found.tolist() == wanted.tolist()
    assert torch.equal(scores, before)
    assert not (found % 5 == 0).any()


def test_repetition_penalty_divides_positive_scores():
    scores = torch.tensor([[2.0, 2.0, -2.0, -2.0]])
    written = torch.tensor([[False, True, False, True]])
    found = Sampler(repetition_penalty=2.0).probabilities(scores, written)[0]
    close(found, torch.tensor([2.0, 1.0, -2.0, -4.0], dtype=torch.float64).softmax(0).tolist())


def test_draws_invert_the_cumulated_probabilities():
    rows = PROBABILITIES.expand(6, 4)
    numbers = torch.tensor([0.0, 0.0999, 0.1001, 0.4999, 0.7001, 0.9999], dtype=torch.float64)
    assert draw(rows, numbers).tolist() == [0, 0, 1, 1, 3, 3]


def test_the_last_base_is_not_drawn_when_it_is_impossible():
    row, almost_one = torch.tensor([[0.5, 0.5, 0.0, 0.0]]).double(), torch.tensor([1 - 2**-53]).double()
    assert draw(row, almost_one).tolist() == [1]


def test_frequencies_follow_the_probabilities():
    numbers = torch.from_numpy(random_stream(0, 0, 0).random(20_000))
    counts = torch.bincount(draw(PROBABILITIES.expand(20_000, 4), numbers), minlength=4)
    np.testing.assert_allclose(counts / 20_000, PROBABILITIES[0], atol=0.015)


def test_random_numbers_belong_to_seed_prompt_and_sample():
    first = random_stream(1, 2, 3).random(5)
    one_by_one = random_stream(1, 2, 3)
    np.testing.assert_array_equal(first, [one_by_one.random() for _ in range(5)])
    for other in ((0, 2, 3), (1, 0, 3), (1, 2, 0), (-1, 2, 3)):
        assert not np.allclose(first, random_stream(*other).random(5))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -0.1}, r"temperature must be at least 0 \(value -0.1\)"),
        ({"temperature": float("nan")}, "temperature must be at least 0"),
        ({"top_k": -1}, r"top_k must be at least 0 \(0: all choices\) \(value -1\)"),
        ({"top_p": 1.5}, r"top_p must be from 0 to 1 \(value 1.5\)"),
        ({"repetition_penalty": 0.0}, r"repetition_penalty must be above 0 \(value 0.0\)"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        Sampler(**settings)
