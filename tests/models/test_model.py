"""A network with tokenizer and card."""

import pytest
import torch

import genolm
from genolm.errors import ModelError, ResourceError


def test_the_fingerprint_follows_the_weights():
    model = genolm.load("tiny-random")
    before = model.fingerprint
    assert before == genolm.load("tiny-random").fingerprint
    assert len(before) == 64
    assert model.to(dtype=torch.bfloat16).fingerprint != before


def test_one_weight_changes_the_fingerprint():
    model, other = genolm.load("tiny-random"), genolm.load("tiny-random")
    with torch.no_grad():
        other.network.layers[1].ffn.down[3, 2, 1] += 1e-6
    assert other.fingerprint != model.fingerprint


def test_to_moves_in_place():
    model = genolm.load("tiny-random")
    assert model.to("cpu", torch.float64) is model
    assert model.dtype is torch.float64
    assert model.to(dtype="bfloat16").dtype is torch.bfloat16


@pytest.mark.parametrize("name", ["gpu", "meta", "cpu:3", "cuda:7", "mps", 3])
def test_a_device_that_is_not_there_is_refused_with_those_that_are(name, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ModelError, match=r"expected cpu, cuda, cuda:1|available: cpu, cuda:0, cuda:1$"):
        genolm.load("tiny-random").to(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is CUDA here")
def test_cuda_without_cuda_is_a_model_error():
    with pytest.raises(ModelError, match="device cuda is not available to torch"):
        genolm.load("tiny-random").to("cuda")


@pytest.mark.parametrize("name", ["int64", torch.int64, "half a float"])
def test_a_precision_that_weights_cannot_have_is_refused(name):
    with pytest.raises(ModelError, match="invalid precision"):
        genolm.load("tiny-random").to(dtype=name)


def test_moving_to_a_device_does_not_hash_the_weights_again(monkeypatch):
    model = genolm.load("tiny-random")
    before = model.fingerprint
    monkeypatch.setattr("genolm.models.model.fingerprint", lambda _: "hashed again")
    assert model.to("cpu").fingerprint == before
    assert model.to(dtype="float64").fingerprint == "hashed again"


def test_no_room_on_the_device(monkeypatch):
    model = genolm.load("tiny-random")

    def full(**_):
        raise torch.OutOfMemoryError("full")

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(model.network, "to", full)
    with pytest.raises(ResourceError, match="tiny-random does not fit on cuda:1"):
        model.to("cuda:1")


def test_weights_that_need_a_gradient_can_have_one(mixtral_folder):
    assert all(weight.requires_grad for weight in genolm.load(mixtral_folder).network.parameters())
