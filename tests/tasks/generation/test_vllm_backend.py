"""What vLLM is asked and how its answers are read. vLLM itself does not run here: a stand-in decodes by full passes."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tests.tasks.conftest import ocean_model

from genolm import GenolmError, InputError, ModelError, generate, save, stream
from genolm.engine.events import Advanced, Started, Stopped
from genolm.models.checkpoints.load import load
from genolm.tasks.generation.generate_task import SCHEMA
from genolm.tasks.generation.vllm_generation import open_without_weights

PROMPTS = ["ACGTTGCA", "", "GGAACCA"]
END = 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "ocean"
    save(ocean_model(), path, layout="huggingface")
    return path


class StandIn:
    """A vLLM engine as its documentation says, greedily, one token per request and step; remembers the requests."""

    def __init__(self, folder):
        self.model = load(folder, device="cpu", dtype="float32")
        self.asked, self.running, self.aborted = [], {}, []

    def module(self):
        parameters = SimpleNamespace(
            SamplingParams=lambda **values: SimpleNamespace(**values), RequestOutputKind=SimpleNamespace(DELTA="delta")
        )
        return SimpleNamespace(LLM=self.start, sampling_params=parameters)

    def start(self, **arguments):
        self.arguments, self.asked = arguments, []
        return SimpleNamespace(llm_engine=self)

    def add_request(self, name, prompt, parameters):
        assert name not in self.running and parameters.output_kind == "delta"
        self.asked.append((prompt["prompt_token_ids"], parameters))
        self.running[name] = (list(prompt["prompt_token_ids"]), parameters, [])

    def abort_request(self, names):
        self.aborted += names
        for name in names:
            self.running.pop(name, None)  # those that ended are ignored

    def step(self):
        answers = []
        for name in list(self.running):
            output = self.answer(*self.running[name])
            answers.append(SimpleNamespace(request_id=name, outputs=[output]))
            if output.finish_reason:
                del self.running[name]
        return answers

    @torch.inference_mode()
    def answer(self, prompt, asked, ids):
        log_probs = self.model.network(torch.tensor([prompt + ids])).logits_BLV[0, -1].log_softmax(0)
        stops = asked.stop_token_ids if len(ids) >= asked.min_tokens else []
        allowed = [token for token in asked.allowed_token_ids if token != END or token in stops]
        best = max(allowed, key=lambda token: (log_probs[token].item(), -token))
        ids.append(best)
        reason = "stop" if best in stops else "length" if len(ids) == asked.max_tokens else None
        told = [{best: SimpleNamespace(logprob=log_probs[best].item())}]
        return SimpleNamespace(token_ids=[best], logprobs=told, finish_reason=reason)


@pytest.fixture
def stand_in(folder, monkeypatch):
    engine = StandIn(folder)
    monkeypatch.setitem(sys.modules, "vllm", engine.module())
    return engine


def test_pieces_join_to_the_generated_sequences(folder, stand_in):
    settings = {"backend": "vllm", "max_tokens": 30, "length": 40, "temperature": 0, "n": 2}
    table = generate(folder, PROMPTS, **settings).table
    joined, done = {}, []
    for piece in stream(folder, PROMPTS, **settings):
        joined[piece.id] = joined.get(piece.id, "") + piece.bases
        done += [piece.id] if piece.done else []
    assert joined == dict(zip(table["id"], table["generated"]))
    assert sorted(done) == sorted(joined)


def test_closing_aborts_what_is_left(folder, stand_in):
    pieces = stream(folder, PROMPTS, backend="vllm", max_tokens=30, ignore_end=True)
    next(pieces)
    assert len(stand_in.running) == 3
    pieces.close()
    assert not stand_in.running and stand_in.aborted == ["0", "1", "2"]
    assert generate(folder, PROMPTS, backend="vllm", max_tokens=3).table.height == 3


def test_the_columns_and_greedy_sequences_are_those_of_the_torch_backend(folder, stand_in):
    for settings in ({"max_tokens": 30}, {"max_tokens": 30, "min_tokens": 25}, {"max_tokens": 40, "ignore_end": True}):
        settings |= {"temperature": 0, "n": 2, "length": 500}
        found = generate(folder, PROMPTS, backend="vllm", **settings).table
        wanted = generate(stand_in.model, PROMPTS, **settings).table
        assert found.columns == list(SCHEMA)
        exact = ["id", "prompt", "generated", "tokens"]
        assert found.select(exact).equals(wanted.select(exact))
        for name in ("total_log_probability_nats", "mean_log_probability_nats_per_base"):
            np.testing.assert_allclose(found[name], wanted[name], atol=1e-4)


def test_a_cut_by_bases_is_told_as_what_vllm_did(folder, stand_in):
    table = generate(folder, PROMPTS, backend="vllm", max_tokens=20, ignore_end=True, length=10, temperature=0).table
    assert set(table["finish_reason"]) == {"length"}
    assert {len(bases) for bases in table["generated"]} == {10}
    assert set(table["tokens"]) == {20}


def test_what_is_asked(folder, stand_in):
    rules = {"temperature": 0.7, "top_k": 5, "top_p": 0.9, "repetition_penalty": 1.2}
    generate(folder, PROMPTS, backend="vllm", n=2, min_tokens=3, max_tokens=50, seed=5, dtype="bfloat16", **rules)
    for (prompt, asked), text in zip(stand_in.asked, [text for text in PROMPTS for _ in range(2)]):
        assert prompt == [1, *stand_in.model.tokenizer.encode(text).tolist()]
        assert {name: getattr(asked, name) for name in rules} == rules
        assert (asked.n, asked.min_tokens, asked.max_tokens) == (1, 3, 50)
        assert (asked.stop_token_ids, asked.ignore_eos, asked.logprobs) == ([END], True, 0)
        assert END in asked.allowed_token_ids
        pieces = [
            stand_in.model.tokenizer.decode(np.array([token])) for token in asked.allowed_token_ids if token != END
        ]
        assert len(pieces) > 8
        assert all(set(piece) <= set("ACGT") for piece in pieces)
    assert len({asked.seed for _, asked in stand_in.asked}) == len(stand_in.asked)
    expected = {"model": str(folder), "skip_tokenizer_init": True, "trust_remote_code": False, "dtype": "bfloat16"}
    expected |= {"max_model_len": 64, "logprobs_mode": "raw_logprobs", "generation_config": "vllm"}
    assert stand_in.arguments == expected


def test_seeds_do_not_depend_on_what_else_is_asked(folder, stand_in):
    generate(folder, PROMPTS[:1], backend="vllm", n=2, max_tokens=2)
    few = [asked.seed for _, asked in stand_in.asked]
    generate(folder, PROMPTS, backend="vllm", n=3, max_tokens=2)
    assert [asked.seed for _, asked in stand_in.asked][:2] == few
    generate(folder, PROMPTS, backend="vllm", n=3, max_tokens=2, seed=1)
    assert stand_in.asked[0][1].seed != few[0]


def test_no_top_k_and_an_ignored_end(folder, stand_in):
    generate(folder, PROMPTS, backend="vllm", max_tokens=2, ignore_end=True)
    asked = stand_in.asked[0][1]
    assert (asked.top_k, asked.stop_token_ids) == (-1, [])
    assert END not in asked.allowed_token_ids


def test_the_context_ends_a_sequence(folder, stand_in):
    asked = {"max_tokens": 64, "ignore_end": True, "temperature": 0}
    with pytest.raises(ModelError, match="64 new tokens exceed the context of toy-ocean"):
        generate(folder, PROMPTS, backend="vllm", **asked)
    table = generate(folder, PROMPTS, backend="vllm", preset="creative", min_tokens=2, ignore_end=True, n=1).table
    assert set(table["finish_reason"]) == {"context"}
    assert [asked.max_tokens for _, asked in stand_in.asked] == [64 - len(prompt) for prompt, _ in stand_in.asked]


def test_the_fasta_says_who_wrote_it(folder, stand_in, tmp_path):
    out = tmp_path / "new.fa"
    assert generate(folder, PROMPTS, out, backend="vllm", max_tokens=8).path == out
    told = dict(word.split("=", 1) for word in out.read_text().splitlines()[0].split()[1:])
    assert told["backend"] == "vllm"
    assert told["model_fingerprint"].startswith("files:")
    assert len(told["model_fingerprint"]) == 6 + 64


def test_the_network_of_a_described_folder_has_no_weights_in_memory(folder):
    model, provenance = open_without_weights(folder)
    assert model.device.type == "meta"
    assert (model.begin_ids, provenance.precision) == ((1,), "float32")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_tokens": 9, "min_length": 5}, "a minimum of bases is not supported .*; pass min_tokens=…"),
        ({}, "pass max_tokens=… to limit the tokens"),
        ({"max_tokens": 9, "slide": True}, "does not support slide"),
        ({"max_tokens": 9, "top_p": 0.0}, "top_p must be above 0"),
        ({"max_tokens": 9, "resume": True}, r"the vllm backend does not support resume \(value True\)"),
        ({"max_tokens": 9, "shard": "1/2"}, "does not support shard"),
        ({"max_tokens": 9, "device": "cpu"}, "does not support device"),
        ({"max_tokens": 9, "batch_tokens": 64}, "does not support batch_tokens"),
        ({"max_tokens": 9, "keep_parts": True}, "does not support keep_parts"),
        ({"max_tokens": 9, "workers": 2}, "does not support workers"),
        ({"max_tokens": 9, "threads": 1}, "does not support threads"),
        ({"max_tokens": 9, "executor": "ray"}, "does not support executor"),
    ],
)
def test_what_vllm_cannot_do_is_refused(folder, stand_in, settings, message):
    with pytest.raises(InputError, match=message):
        generate(folder, PROMPTS, backend="vllm", **settings)
    assert not stand_in.asked


def test_an_answer_without_log_probabilities_is_an_error(folder, stand_in, monkeypatch):
    answer = SimpleNamespace(token_ids=[5, 6], logprobs=None, finish_reason="length")
    monkeypatch.setattr(stand_in, "answer", lambda *asked: answer)
    with pytest.raises(GenolmError, match="no log-probability for some tokens"):
        generate(folder, PROMPTS, backend="vllm", max_tokens=2)
    answer.logprobs, answer.finish_reason = [{5: -1.0}, {6: -1.0}], "abort"
    with pytest.raises(GenolmError, match="unknown finish reason 'abort'"):
        generate(folder, PROMPTS, backend="vllm", max_tokens=2)


def test_without_vllm_nothing_falls_back(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(GenolmError, match=r"pip install 'genolm\[vllm\]'"):
        generate(folder, PROMPTS, backend="vllm", max_tokens=9)


def test_folders_that_vllm_does_not_read(tiny, tmp_path):
    with pytest.raises(ModelError, match="vllm requires a folder in Hugging Face layout"):
        generate("tiny-random-dense", PROMPTS, backend="vllm", max_tokens=9)
    with pytest.raises(ModelError, match="pass its folder"):
        generate(tiny, PROMPTS, backend="vllm", max_tokens=9)
    save(tiny, tmp_path / "one", layout="huggingface")
    with pytest.raises(ModelError, match="has one token per base"):
        generate(tmp_path / "one", PROMPTS, backend="vllm", max_tokens=9)
    with pytest.raises(InputError, match=r"backend must be one of torch, vllm \(value 'jax'\)"):
        generate(tiny, PROMPTS, backend="jax")


def test_progress_is_told_of_every_sequence_that_is_done(folder, stand_in, capfd):
    events = []
    generate(folder, PROMPTS, backend="vllm", max_tokens=5, progress=events.append)
    (start,) = (event for event in events if isinstance(event, Started))
    steps = [event.bases for event in events if isinstance(event, Advanced)]
    assert start.done == 0 and len(steps) == len(PROMPTS) and sum(steps) == start.bases
    assert Stopped() in events
    assert capfd.readouterr().err == ""  # vLLM's own bar is not shown beside it


def test_what_was_written_is_counted(folder, stand_in, tmp_path):
    out = tmp_path / "g.fa"
    generate(folder, PROMPTS, out, backend="vllm", max_tokens=5)
    counts = json.loads((tmp_path / "g.fa.provenance.json").read_text())["counts"]
    assert counts["sequences"] == len(PROMPTS) and counts["new bases"] > 0
