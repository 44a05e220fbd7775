"""Models in other processes: loaded again, or sent by value."""

import pytest
import torch

import genolm
from genolm.errors import ModelError
from genolm.models.checkpoints.convert import save
from genolm.models.checkpoints.model_transfer import pack_model, unpack_model
from genolm.models.heads.head_config import LabelHeadConfig
from genolm.models.heads.headed_network import build_head
from genolm.models.zoo.tiny_entries import TINY
from genolm.tasks.reading.model_group import group_models
from genolm.tasks.reading.random_model import untrained_copy


@pytest.mark.parametrize("name", ["genolm-nano", *(entry.name for entry in TINY)])
@pytest.mark.parametrize("by_value", [False, True])
def test_the_same_model(name, by_value):
    model = genolm.load(name, device="cpu")
    fingerprint = model.fingerprint
    if by_value:
        model.origin = model._fingerprint = None
    packed = pack_model(model)
    copy = unpack_model(packed, "cpu")
    assert (len(packed) > model.weight_bytes) == by_value
    assert copy.fingerprint == fingerprint
    assert copy.tokenizer.to_json() == model.tokenizer.to_json()
    assert copy.card == model.card
    assert (copy.begin_ids, copy.end_ids, copy.context) == (model.begin_ids, model.end_ids, model.context)


def test_a_folder_is_found_from_another_working_directory(tmp_path, monkeypatch):
    save(genolm.load("tiny-random-dense", device="cpu"), tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    model = genolm.load("model", device="cpu")
    packed = pack_model(model)
    monkeypatch.chdir("/")
    assert unpack_model(packed, "cpu").fingerprint == model.fingerprint


def test_a_model_in_another_precision_is_sent_by_value():
    model = genolm.load("tiny-random-dense", device="cpu", dtype="bfloat16").to(dtype="float32")
    assert model.origin is None
    assert unpack_model(pack_model(model), "cpu").fingerprint == model.fingerprint


def test_moving_a_model_keeps_its_origin():
    assert genolm.load("tiny-random-dense", device="cpu").to("cpu", "float32").origin == "tiny-random-dense"


def test_a_group_of_a_loaded_model_and_a_random_copy():
    model = genolm.load("tiny-random-dense", device="cpu")
    group = group_models([model, untrained_copy(model, 7)])
    packed = pack_model(group)
    assert model.weight_bytes < len(packed) < 2 * model.weight_bytes
    copy = unpack_model(packed, "cpu")
    assert copy.fingerprint == group.fingerprint
    assert [one.card.name for one in copy.models] == [one.card.name for one in group.models]
    assert all(isinstance(weight, torch.nn.Parameter) for weight in copy.models[1].network.parameters())


def test_another_model_at_the_same_place_is_refused():
    model = genolm.load("tiny-random-dense", device="cpu")
    model.origin = "tiny-random-kmer"
    with pytest.raises(ModelError, match="the weights of tiny-random-kmer differ from those of the run"):
        unpack_model(pack_model(model), "cpu")


def test_changed_weights_of_a_loaded_model_are_noticed():
    model = genolm.load("tiny-random-dense", device="cpu")
    with torch.no_grad():
        model.network.embedding.weight.zero_()
    with pytest.raises(ModelError, match="the weights of tiny-random-dense differ"):
        unpack_model(pack_model(model), "cpu")


def test_heads_travel_with_a_model_in_memory():
    plain = genolm.load("tiny-random", device="cpu")
    heads = {"labels": build_head(LabelHeadConfig(("a", "b")), plain.config)}
    model = genolm.Model(plain.network, plain.tokenizer, plain.card, heads=heads)
    assert unpack_model(pack_model(model), "cpu").fingerprint == model.fingerprint != plain.fingerprint
