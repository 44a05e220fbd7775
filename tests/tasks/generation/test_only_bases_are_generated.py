"""Nothing but A, C, G and T is ever generated, and nothing at all where nothing can be chosen."""

import itertools
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tests.tasks.conftest import ocean_model

import genolm
from genolm import GenolmError, ModelError
from genolm.errors import NonFiniteError
from genolm.tasks.generation.presets import PRESETS
from genolm.tasks.generation.vllm_backend import VllmBackend
from genolm.tasks.reading.continuation.continue_prompts import continue_prompts
from genolm.tasks.reading.continuation.limits import Limits
from genolm.tasks.reading.continuation.prompts import Prompt
from genolm.tasks.reading.continuation.sampling import Sampler, random_stream

DECODERS = ("tiny-random", "tiny-random-dense", "tiny-random-gengram", "tiny-random-kmer", "tiny-random-ocean",
            "tiny-random-ocean-gqa")  # fmt: skip
EXTREMES = [
    {"temperature": 0.0},
    {"temperature": 1e-300},
    {"temperature": 1e300},
    {"top_k": 1},
    {"top_p": 0.0},
    {"top_k": 10_000, "top_p": 1e-12},
    {"repetition_penalty": 1e308},
    {"repetition_penalty": 1e-308},
    {"repetition_penalty": 1e308, "temperature": 0.0},
    {"repetition_penalty": 1e308, "top_k": 3, "top_p": 0.5},
]


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("rules", EXTREMES, ids=str)
def test_extreme_rules_write_bases(name, rules):
    model = genolm.load(name, device="cpu")
    table = genolm.generate(model, ["ACGTNNACGT", ""], n=2, length=40, **rules).table
    assert set("".join(table["generated"])) <= set("ACGT")
    assert table["generated"].str.len_chars().min() >= 1
    assert np.isfinite(table["mean_log_probability_nats_per_base"].to_numpy()).all()


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_presets_write_bases(preset):
    model = genolm.load("tiny-random-ocean", device="cpu")
    table = genolm.generate(model, ["ACGT"], preset=preset, n=1, max_tokens=30, min_tokens=5).table
    assert set("".join(table["generated"])) <= set("ACGT")


@pytest.mark.parametrize("rules", EXTREMES, ids=str)
def test_what_may_not_be_drawn_never_is(rules):
    """By definition and by the quick way, whatever was written before."""
    scores = torch.tensor([[-np.inf, 1.0, -2.0, -np.inf], [-np.inf, -1.0, -3.0, -np.inf]])
    uniforms = torch.tensor([0.0, 1 - 2**-53], dtype=torch.float64)
    for written in itertools.product([False, True], repeat=4):
        written_BV = torch.tensor([written, written])
        chosen = Sampler(**rules).choose(scores.clone(), written_BV, uniforms)
        assert set(chosen.tolist()) <= {1, 2}
        weights = Sampler(**rules).probabilities(scores.clone(), written_BV)
        assert bool(weights.isfinite().all()) and float(weights[:, [0, 3]].sum()) == 0


def test_a_vocabulary_without_a_token_of_bases_is_refused():
    model = ocean_model()

    class Barred:
        """The tokenizer, all of whose tokens hold an N."""

        def __getattr__(self, name):
            value = getattr(tokenizer, name)
            return np.zeros_like(value) if name == "plain_ids" else value

    tokenizer = model.tokenizer
    model.tokenizer = Barred()
    with pytest.raises(ModelError, match="cannot generate DNA: no token of its vocabulary consists of A, C, G and T"):
        next(continue_prompts(model, [prompt()], Sampler()))


def prompt():
    return Prompt(np.array([1]), Limits(max_tokens=3, ignore_end=True), random_stream(0, 0, 1))


@pytest.mark.parametrize(
    ("token", "value", "kind", "message"),
    [
        (0, -1.0, GenolmError, "vllm returned token 0, which has letters other than A, C, G and T"),
        (5, float("nan"), NonFiniteError, "under vllm gives numbers that are not finite"),
        (5, float("-inf"), NonFiniteError, "pass dtype='float32'"),
    ],
)
def test_what_another_backend_writes_is_looked_at(token, value, kind, message, monkeypatch, tmp_path):
    engine = SimpleNamespace(add_request=lambda *asked: None, abort_request=lambda ids: aborted.extend(ids))
    output = SimpleNamespace(token_ids=[token], logprobs=[{token: value}], finish_reason="length")
    engine.step = lambda: [SimpleNamespace(request_id="0", outputs=[output])]
    parameters = SimpleNamespace(
        SamplingParams=lambda **values: values, RequestOutputKind=SimpleNamespace(DELTA="delta")
    )
    vllm = SimpleNamespace(LLM=lambda **arguments: SimpleNamespace(llm_engine=engine), sampling_params=parameters)
    monkeypatch.setitem(sys.modules, "vllm", vllm)
    aborted = []
    backend = VllmBackend(ocean_model(), tmp_path, "float16")
    with pytest.raises(kind, match=message):
        next(backend([prompt()], Sampler()))
    assert aborted == ["0"]
