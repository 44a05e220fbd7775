"""Names, configs and cards."""

import pytest

import genolm
from genolm.errors import ModelError
from genolm.models.card import Card
from genolm.models.zoo import ZOO, Entry, entry


@pytest.mark.parametrize("name", ["genos-1.2b", "genos-10b", "genos-10b-v2"])
def test_genos_cards(name):
    card = ZOO[name].card
    assert card.licence == "Apache-2.0"
    assert any("MIT" in note and "disagree" in note for note in card.notes)
    assert card.precision == "bfloat16"
    assert str(ZOO[name].hub_id).lower().endswith(name)
    assert "10.1093/gigascience/giaf132" in card.citation


def test_each_entry_has_one_origin():
    for found in ZOO.values():
        origins = (found.hub_id, found.seed, found.folder, found.megatron_only or None)
        assert sum(origin is not None for origin in origins) == 1


def test_names_ignore_case_and_suggest():
    assert entry("TINY-random").name == "tiny-random"
    with pytest.raises(ModelError, match="did you mean tiny-random"):
        entry("tiny-randm")


def test_an_installation_without_weights(tmp_path):
    with pytest.raises(ModelError, match="x: its weights are not part of this installation"):
        Entry(Card("x"), folder=tmp_path).installed_folder()


@pytest.mark.parametrize(
    ("name", "fingerprint"),
    [
        ("tiny-random", "a5e0fc567aa9856bbdf680a165e8f219bbc6dd99b1bf0b625fe2164083d9e93b"),
        ("tiny-random-dense", "c7467f93b2d1b3e7a8426817611d6c15d8443d5b1d59e7d137dc19cddb39dbb0"),
        ("tiny-random-kmer", "cf1162d11fa1945e505d461fc77fcf0a45d1c90d04bc559f0ecaf685d7e53098"),
        ("tiny-random-gengram", "d2dfc53f661eb359faabd85592aa67ef7c75074b3d72308dd7a545f6f8a09220"),
    ],
)
def test_random_weights_are_the_same_everywhere(name, fingerprint):
    assert genolm.load(name).fingerprint == fingerprint


def test_random_weights_vary_and_their_logits_too():
    first, second = genolm.load("tiny-random"), genolm.load("tiny-random-dense")
    assert not (first.network.embedding.weight[:32] == second.network.embedding.weight).any()
    assert first.network.norm.weight.std() > 0.1


def test_a_card_survives_json():
    card = Card("a", notes=("x",), metrics={"bits_per_base": 1.8}, layer=3)
    assert Card.from_dict(card.to_dict()) == card
