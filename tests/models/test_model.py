"""A network with tokenizer and card."""

import pytest
import torch

import genolm
from genolm.errors import ResourceError


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
    assert model.to("meta").device.type == "meta"


def test_no_room_on_the_device(monkeypatch):
    model = genolm.load("tiny-random")

    def full(**_):
        raise torch.OutOfMemoryError("full")

    monkeypatch.setattr(model.network, "to", full)
    with pytest.raises(ResourceError, match="tiny-random does not fit on cuda:1"):
        model.to("cuda:1")


def test_weights_that_need_a_gradient_can_have_one(mixtral_folder):
    assert all(weight.requires_grad for weight in genolm.load(mixtral_folder).network.parameters())
