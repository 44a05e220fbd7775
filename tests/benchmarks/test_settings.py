"""A benchmark that is run without options is run with the settings of its committed result."""

import importlib
import json
import sys

import pytest
from benchmarks.record import RESULTS


@pytest.fixture
def told(monkeypatch):
    """Runs a benchmark's command line with a step of it replaced, and returns what that step was called with."""

    def run(name, step, result, **also):
        module = importlib.import_module(f"benchmarks.{name}")
        calls = []
        monkeypatch.setattr(module, step, lambda *args: calls.append(args) or result)
        monkeypatch.setattr(module, "write", lambda *args: None)
        for place, value in also.items():
            monkeypatch.setattr(module, place, value)
        monkeypatch.setattr(sys, "argv", [name])
        module.main()
        return calls, json.loads((RESULTS / f"{name}.json").read_text("utf-8"))

    return run


def rounds_of(sides):
    return {len(side["seconds"]) for side in sides.values()}


def test_bigbird(told):
    calls, measured = told("bigbird", "measured", {})
    words = calls[0][0]
    lengths = measured["precisions"]["float32"]["timed"]
    assert words.layers == measured["layers"]
    assert words.tokens == [one["tokens"] for one in lengths]
    assert {words.rounds} == rounds_of(lengths[0]["sides"])


def test_encoder(told):
    calls, measured = told("encoder", "compare", {})
    assert {rounds for _, _, rounds in calls} == rounds_of(measured["batches"]["rows of 512 tokens"]["sides"])
    assert calls[0][0] == measured["layers"]
    assert [len(lengths) for _, lengths, _ in calls] == [one["rows"] for one in measured["batches"].values()]


def test_pretraining(told):
    calls, measured = told("pretraining", "compare", {})
    assert calls == [(measured["steps"], len(measured["rounds"]["genolm, the recipe"]))]


def test_gengram(told):
    calls, measured = told(
        "gengram", "inference", {}, training=lambda *_: {}, Forms=lambda _: None, network_with_memories=lambda _: None
    )
    half = measured["inference"]
    assert calls == [(None, half["bases"], *rounds_of(half["sides"]))]


def test_nano(told):
    calls, measured = told("nano", "compare", {})
    every, highest_order, _ = calls[0]
    assert every == measured["every"]
    assert {str(order) for order in range(highest_order + 1)} == set(measured["splits"]["test"]["markov"])


def test_generation(told):
    calls, measured = told("generation", "compare", [], dna=lambda _: "", byte_pairs=len, single_bases=lambda *_: None)
    timed = measured["timed"]
    asked = [(size, dtype, tokens, rounds) for size, dtype, _, _, tokens, rounds, _ in calls]
    assert asked == [(one["size"], one["precision"], one["new_tokens"], *rounds_of(one["sides"])) for one in timed[::2]]
