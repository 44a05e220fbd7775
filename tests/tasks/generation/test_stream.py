"""Streams: their pieces join to what is generated at once; a closed one leaves nothing behind."""

import gc
import math

import pytest
import torch
from tests.tasks.conftest import ocean_model

import genolm
from genolm import InputError, ModelError, ResourceError, generate, stream
from genolm.errors import NonFiniteError
from genolm.models.networks.cache import KVCache
from genolm.models.networks.stepping import DenseSteps, NetworkSteps
from genolm.tasks.reading.continuation import continue_prompts as loop

PROMPTS = ["ACGTTGCA", "", "GGNAC", "TTTTTTTTTTACGTACGTA"]
BY_BASES = [{"length": 20}, {"length": 20, "temperature": 0}, {"length": 20, "top_k": 2, "repetition_penalty": 1.2}]
BY_TOKENS = [
    {"length": 30},
    {"length": 25, "whole_tokens": True, "ignore_end": True},
    {"max_tokens": 20, "min_tokens": 3, "top_p": 0.9},
    {"max_tokens": 150, "ignore_end": True, "slide": True, "repetition_penalty": 1.1},
]


def check_pieces(model, settings, **batches):
    """The pieces of a stream are those of the table, with one ending each; return the table."""
    table = generate(model, PROMPTS, n=2, seed=4, batch_tokens=batches.get("batch_tokens"), **settings).table
    joined, totals, reasons = (dict.fromkeys(table["id"], value) for value in ("", 0.0, None))
    for piece in stream(model, PROMPTS, n=2, seed=4, **batches, **settings):
        assert not torch.is_inference_mode_enabled()
        assert reasons[piece.id] is None, "nothing comes after the end"
        assert piece.id == f"{piece.prompt_id}_{piece.sample}"
        assert piece.done == (piece.reason is not None)
        joined[piece.id] += piece.bases
        totals[piece.id] += piece.log_probability
        reasons[piece.id] = piece.reason
    assert joined == dict(zip(table["id"], table["generated"]))
    return table, totals, reasons


@pytest.mark.parametrize("settings", BY_BASES, ids=str)
@pytest.mark.parametrize("batch_tokens", [None, 60])
def test_pieces_of_single_bases_join_to_the_sequences(tiny, settings, batch_tokens):
    table, totals, reasons = check_pieces(tiny, settings, batch_tokens=batch_tokens)
    means = [totals[name] / 20 for name in table["id"]]
    assert means == pytest.approx(table["mean_log_probability_nats_per_base"].to_list(), abs=1e-12)
    assert set(reasons.values()) == {"length"}


@pytest.mark.parametrize("settings", BY_TOKENS, ids=str)
@pytest.mark.parametrize("batch_tokens", [None, 60])
def test_pieces_of_tokens_join_to_the_sequences(ocean, settings, batch_tokens):
    table, totals, reasons = check_pieces(ocean, settings, batch_tokens=batch_tokens)
    assert list(totals.values()) == pytest.approx(table["total_log_probability_nats"].to_list(), abs=1e-12)
    assert list(reasons.values()) == table["finish_reason"].to_list()


def test_every_piece_comes_before_the_next_is_computed(tiny, monkeypatch):
    passes = []
    step = NetworkSteps.next
    monkeypatch.setattr(NetworkSteps, "next", lambda self, ids: [passes.append(1), step(self, ids)][1])
    pieces = stream(tiny, ["ACGT"], length=8)
    for number in range(8):
        assert len(next(pieces).bases) == 1
        assert len(passes) == number
    assert next(pieces, None) is None


def caches():
    gc.collect()
    return [one for one in gc.get_objects() if type(one) in (KVCache, NetworkSteps, DenseSteps)]


@pytest.mark.parametrize("taken", [0, 1, 7])
@pytest.mark.parametrize("name", ["tiny-random", "tiny-random-ocean"])
def test_a_closed_stream_leaves_nothing_behind(name, taken):
    model = genolm.load(name, device="cpu")
    wanted = generate(model, PROMPTS, length=40).table["generated"].to_list()
    before = len(caches())
    pieces = stream(model, PROMPTS, length=40)
    for _ in range(taken):
        next(pieces)
    assert len(caches()) > before or not taken
    pieces.close()
    assert len(caches()) == before
    assert next(pieces, None) is None
    assert not torch.is_inference_mode_enabled()
    assert generate(model, PROMPTS, length=40).table["generated"].to_list() == wanted


def test_an_error_of_the_receiver_leaves_nothing_behind(ocean):
    before = len(caches())

    def receive():
        for piece in stream(ocean, PROMPTS, length=40):
            raise KeyError(piece.id)

    with pytest.raises(KeyError):
        receive()
    assert len(caches()) == before


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({"length": 0}, InputError, "length must be at least 1"),
        ({"temperature": -1.0}, InputError, "temperature must be at least 0"),
        ({"min_tokens": 9, "max_tokens": 3}, InputError, "the minimum of 9 new tokens exceeds the maximum of 3"),
        ({"batch_tokens": 0}, InputError, "batch_tokens must be at least 1"),
        ({"backend": "jax"}, InputError, "expected torch or vllm"),
        ({"max_tokens": 90}, ModelError, "90 new tokens exceed the context of toy-ocean"),
        ({"backend": "vllm", "max_tokens": 9}, ModelError, "pass its folder"),
        ({"dtype": "bfloat16"}, ModelError, "loaded in torch.float32"),
    ],
)
def test_settings_are_checked_before_the_first_piece(ocean, settings, kind, message):
    with pytest.raises(kind, match=message):
        stream(ocean, PROMPTS, **settings)


def test_the_sequence_concerned_is_named():
    model = ocean_model()
    with torch.no_grad():
        model.network.embedding.weight[8] = math.nan  # N
    with pytest.raises(NonFiniteError, match="the continuation of prompt 'sequence3', sample 1"):
        list(stream(model, PROMPTS, length=20))


def test_a_batch_without_memory_says_what_to_do(ocean, monkeypatch):
    class Full(loop._Batch):
        def _read(self, chunk, pack):
            raise MemoryError

    monkeypatch.setattr(loop, "_Batch", Full)
    with pytest.raises(ResourceError, match="lower batch_tokens"):
        list(stream(ocean, PROMPTS, length=20))
