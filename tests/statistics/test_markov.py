"""Markov models: counts against a dictionary, probabilities that sum to one, entropies known in advance."""

from collections import Counter

import numpy as np
import pytest

from genolm.statistics.markov import MarkovModel


def digits(text: str) -> np.ndarray:
    return np.array(["ACGT".index(base) for base in text], np.int64)


def random_digits(length: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 4, length)


def test_counts_are_those_of_both_strands() -> None:
    sequence = "ACGTTGCAACCT"
    other = sequence[::-1].translate(str.maketrans("ACGT", "TGCA"))
    expected = Counter(strand[i : i + 3] for strand in (sequence, other) for i in range(len(strand) - 2))
    counts = MarkovModel.fit([digits(sequence)], [digits(sequence)], 2).counts[2]
    for word, count in expected.items():
        context = digits(word[:2]) @ np.array([4, 1])
        assert counts[context, "ACGT".index(word[2])] == count
    assert counts.sum() == sum(expected.values())


def test_random_sequence_needs_two_bits() -> None:
    model = MarkovModel.fit([random_digits(20_000, 0)], [random_digits(5_000, 1)], 4)
    assert model.bits(random_digits(5_000, 2)).mean() == pytest.approx(2.0, abs=0.01)


def test_a_repeat_needs_no_bits_once_the_order_covers_it() -> None:
    repeat = digits("ACGGTCATTGCC" * 300)
    model = MarkovModel.fit([repeat], [repeat], 5)
    assert model.bits(repeat).mean() < 0.05
    assert model.truncated(0).bits(repeat).mean() > 1.5
    assert model.truncated(3).order == 3


def test_probabilities_over_the_four_bases_sum_to_one() -> None:
    model = MarkovModel.fit([random_digits(500, 3)], [random_digits(200, 4)], 3)
    context = random_digits(3, 5)
    chances = [2 ** -model.bits(np.append(context, base))[-1] for base in range(4)]
    assert sum(chances) == pytest.approx(1.0)


def test_a_run_shorter_than_the_order_gives_nothing() -> None:
    assert MarkovModel.fit([random_digits(500, 3)], [random_digits(200, 4)], 3).bits(random_digits(3, 0)).size == 0


def test_strengths_are_of_those_offered() -> None:
    """Random sequence has nothing to learn beyond the uniform: the strongest blend is the best."""
    runs = [random_digits(500, 3)], [random_digits(200, 4)]
    assert max(MarkovModel.fit(*runs, 4).strengths) == 1000.0
    assert max(MarkovModel.fit(*runs, 4, (1.0, 1e5)).strengths) == 1e5
