"""Verbs as methods of a model."""

import inspect

import pytest

import genolm
from genolm.models.checkpoints.load import load
from genolm.models.model import Model as ModelWithoutVerbs

VERBS = ("embed", "score", "variants", "mutate", "scan", "cluster", "generate", "complete")
SEQUENCES = {"a": "ACGTACGTAC", "b": "TTTT"}


@pytest.fixture(scope="module")
def model():
    return genolm.load("tiny-random", device="cpu")


def test_a_method_returns_what_the_function_returns(model):
    assert model.embed(SEQUENCES).table.equals(genolm.embed(model, SEQUENCES).table)
    assert model.score(SEQUENCES, rc=True).table.equals(genolm.score(model, SEQUENCES, rc=True).table)
    assert model.generate(["ACG"], length=5).sequences == genolm.generate(model, ["ACG"], length=5).sequences
    assert model.explain.lens(["ACGTACGTACGT"]).table.equals(genolm.explain.lens(model, ["ACGTACGTACGT"]).table)


@pytest.mark.parametrize("name", VERBS)
def test_a_method_has_signature_and_documentation_of_its_function(model, name):
    function, method = getattr(genolm, name), getattr(model, name)
    parameters = list(inspect.signature(function).parameters.values())
    assert list(inspect.signature(method).parameters.values()) == parameters[1:]
    assert method.__doc__ == function.__doc__ and name in dir(model)
    assert getattr(genolm.Model, name) is function


def test_every_verb_that_takes_a_model_first_is_a_method(model):
    """Compare the methods with the public functions whose first parameter is ``model``."""
    functions = {name: getattr(genolm, name) for name in genolm.__all__ if inspect.isfunction(getattr(genolm, name))}
    first = {
        name
        for name, function in functions.items()
        if next(iter(inspect.signature(function).parameters), "") == "model"
    }
    assert first - {"cite", "info", "convert", "download"} == {*VERBS, "save", "stream"}
    for name in ("memory", "tables", "lens", "experts", "attribution"):
        assert next(iter(inspect.signature(getattr(genolm.explain, name)).parameters)) == "model"
        assert callable(getattr(model.explain, name))


def test_load_takes_what_the_loading_of_checkpoints_takes():
    assert inspect.signature(genolm.load).parameters == inspect.signature(load).parameters


def test_a_loaded_model_keeps_its_class(model, tmp_path):
    assert type(model) is genolm.Model and isinstance(model, ModelWithoutVerbs)
    other = genolm.load("tiny-random", device="cpu")
    assert other.to("cpu", "bfloat16") is other and type(other) is genolm.Model
    again = genolm.load(other.save(tmp_path / "own"), device="cpu", dtype="bfloat16")
    assert again.fingerprint == other.fingerprint


def test_the_representations_tell_kind_tokens_context_and_device(model):
    assert repr(model) == "tiny-random · decoder · 1 base per token · 1,048,576 bases · fp32 on cpu"
    encoder = genolm.load("tiny-random-bert", device="cpu")
    assert repr(encoder).startswith("tiny-random-bert · encoder · ") and " bases per token · " in repr(encoder)
    assert "<b>tiny-random</b>" in model._repr_html_() and f"{model.config.parameters:,}" in model._repr_html_()
