"""The result of a verb for a sequence depends on that sequence alone."""

import random

import numpy as np
import pytest

from genolm.tasks.embed import embed
from genolm.tasks.generation.generate import generate
from genolm.tasks.reading import hidden_states as passes
from genolm.tasks.score import score
from genolm.tasks.writing.vector_files import matrix

CLOSE = {"atol": 2e-5, "rtol": 2e-4}
LENGTHS = (31, 1, 12, 50, 2, 33)


@pytest.fixture(scope="module")
def sequences():
    source = random.Random(5)
    return ["".join(source.choices("ACGT", [5, 3, 3, 5], k=length)) for length in LENGTHS]


@pytest.mark.parametrize("pooling", ["mean", "max", "min", "last", "none"])
def test_embed_batch_equals_single(model, sequences, pooling):
    together = matrix(embed(model, sequences, layer="all", pooling=pooling, rc=True).table)
    alone = [matrix(embed(model, [one], layer="all", pooling=pooling, rc=True).table) for one in sequences]
    np.testing.assert_allclose(together, np.concatenate(alone), **CLOSE)


def test_score_batch_equals_single(model, sequences):
    together = score(model, sequences, per_base=True, rc=True).table["log_probability_nats"].to_numpy()
    alone = [score(model, [one], per_base=True, rc=True).table["log_probability_nats"].to_numpy() for one in sequences]
    np.testing.assert_allclose(together, np.concatenate(alone), **CLOSE)


def test_generate_batch_equals_single(model, sequences):
    together = generate(model, ["", *sequences], n=2, length=24, seed=3).table
    one_by_one = generate(model, ["", *sequences], n=2, length=24, seed=3, batch_tokens=1).table
    assert together["generated"].to_list() == one_by_one["generated"].to_list()
    assert len(set(together["generated"])) == together.height, "every sequence has its own random numbers"
    np.testing.assert_allclose(*(t["mean_log_probability_nats_per_base"] for t in (together, one_by_one)), atol=1e-5)


@pytest.mark.parametrize("chunk", [1, 7, 16])
def test_long_input_in_chunks_equals_one_pass(model, sequences, chunk, monkeypatch):
    def results():
        pooled = [matrix(embed(model, sequences, layer="all", pooling=name).table) for name in ("mean", "max", "last")]
        scores = score(model, sequences, per_base=True).table["log_probability_nats"].to_numpy()
        written = generate(model, sequences, length=5, temperature=0).table["generated"].to_list()
        return pooled, scores, written

    pooled, scores, written = results()
    monkeypatch.setattr(passes, "CHUNK_TOKENS", chunk)
    monkeypatch.setattr("genolm.tasks.reading.continuation.continue_prompts.CHUNK_TOKENS", chunk)
    chunked, chunked_scores, chunked_written = results()
    np.testing.assert_allclose(np.concatenate(chunked), np.concatenate(pooled), **CLOSE)
    np.testing.assert_allclose(chunked_scores, scores, **CLOSE)
    assert chunked_written == written


@pytest.mark.parametrize("pooling", ["mean", "max", "min", "last", "none"])
def test_embed_beyond_the_context_pools_all_tokens(model, sequences, pooling):
    sequence = sequences[3]
    found = matrix(embed(model, [sequence], pooling=pooling, context=16).table)
    tokens = [matrix(embed(model, [sequence[start : start + 16]], pooling="none").table) for start in range(0, 50, 16)]
    every = np.concatenate(tokens)
    expected = {"mean": every.mean(0), "max": every.max(0), "min": every.min(0), "last": every[-1], "none": every}
    np.testing.assert_allclose(found, np.atleast_2d(expected[pooling]), **CLOSE)


def test_score_beyond_the_context_keeps_half_of_it_on_the_left(model, sequences):
    sequence = sequences[3]
    found = score(model, [sequence], per_base=True, context=16).table["log_probability_nats"].to_numpy()
    for place in range(1, len(sequence)):
        start = 0 if place < 16 else (place - 8) // 8 * 8
        window = score(model, [sequence[start : place + 1]], per_base=True).table["log_probability_nats"].to_numpy()
        assert place < 16 or place - start >= 8
        np.testing.assert_allclose(found[place], window[-1], **CLOSE)
