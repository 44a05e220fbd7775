"""Names, configs and cards."""

import math

import pytest

import genolm
from genolm.errors import ModelError
from genolm.models.card import Card
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.network import tensor_shapes
from genolm.models.zoo.zoo import ZOO, Entry, entry
from genolm.tokens import BpeTokenizer
from genolm.tokens.published import published_vocabulary

TOKEN_FAMILIES = ("gena-lm", "moderngena", "genomeocean")


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
        ("tiny-random-ocean", "7cc78b4ac24c7393c244d222abfd69241a34bf4e2f716df124cf756abe6cd48b"),
        ("tiny-random-ocean-gqa", "32eeef6660f51b400760cfe03733c6d8c5cca5f39600d9944e3cb05785a8d218"),
        ("tiny-random-bert", "ff75983502640cd9f8c5c52117fca1894f6bee525d1f47c5b2af8ee7e556a44a"),
        ("tiny-random-bert-nolast", "aaab78fb5762ffa75f0864d2e7953f0e4856e7c6127e096befacb69560dc9197"),
        ("tiny-random-sparse", "527867c3c80aeea37371561f1632a66ad036e3f2adf3a40fc01ce8aa2ad4426d"),
        ("tiny-random-sparse-rotary", "4478f4bb7dc1458eadb673e23b6ce2dacd8e1c38c9339465a02d02aa4ba91af6"),
        ("tiny-random-bigbird", "324d314903d914cda58a0a72402ec28e5612908d779c57394768df91fb9c893f"),
        ("tiny-random-moderngena", "5b1cac501b99adfc76df56dee7b7d6025eb6bb3fb1216c25643b7dad796229a6"),
        ("tiny-random-rmt", "2cd666c7e0ee63541fa236648cb8faf87a9e7421bf1fea343a6caecaffc2815d"),
    ],
)
def test_random_weights_are_the_same_everywhere(name, fingerprint):
    assert genolm.load(name).fingerprint == fingerprint


PARAMETERS = {
    "gena-lm-bert-base-t2t": 110_650_880,
    "gena-lm-bert-base-lastln-t2t": 110_652_416,
    "gena-lm-bert-base-t2t-multi": 110_650_880,
    "gena-lm-bert-base-yeast": 110_650_880,
    "gena-lm-bert-base-fly": 110_650_880,
    "gena-lm-bert-base-athaliana": 110_650_880,
    "gena-lm-bert-large-t2t": 336_691_456,
    "gena-lm-bigbird-base-t2t": 113_993_984,
    "moderngena-base": 136_120_832,
    "moderngena-large": 377_841_664,
    "genomeocean-100m": 119_556_864,
    "genomeocean-500m": 541_109_760,
    "genomeocean-4b": 4_253_174_784,
    "genomeocean-4b-bgcfm": 4_253_174_784,
    "genomeocean-4b-v1.2": 4_253_174_784,
    "genomeocean-100m-v1.2": 119_556_864,
}
# Published sizes of files in MB: weights in fp32, the decoder's copy of the embedding, layouts as int64.
MEGABYTES = {
    "gena-lm-bert-base": 543,
    "gena-lm-bert-base-t2t": 541,
    "gena-lm-bert-base-lastln-t2t": 541,
    "gena-lm-bigbird-base-sparse": 547,
    "gena-lm-bigbird-base-sparse-t2t": 557,
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_published_numbers_of_parameters(name):
    config = ZOO[name].config
    assert config is not None and config.parameters == PARAMETERS[name]


@pytest.mark.parametrize("name", [name for name, found in ZOO.items() if found.config is not None])
def test_arithmetic_counts_what_the_tensors_hold(name):
    config = ZOO[name].config
    assert config is not None
    assert sum(math.prod(shape) for shape in tensor_shapes(config).values()) == config.parameters


def test_the_published_number_of_tensors_of_the_largest_genomeocean():
    config = ZOO["genomeocean-4b"].config
    assert config is not None and len(tensor_shapes(config)) == 219
    assert config.parameters * 2 == 8_506_349_568


@pytest.mark.parametrize("name", MEGABYTES)
def test_published_sizes_of_files(name):
    """They tell that gena-lm-bigbird-base-sparse-t2t has a table of positions, which it is said not to have."""
    config = ZOO[name].config
    assert config is not None
    layouts = sum(math.prod(shape) * 8 for shape in config.layout_shapes().values())
    expected = config.parameters * 4 + config.vocab_size * config.hidden_size * 4 + layouts
    assert expected / 1e6 == pytest.approx(MEGABYTES[name], abs=1.0)


@pytest.mark.parametrize("name", [name for name, found in ZOO.items() if found.card.family in TOKEN_FAMILIES])
def test_cards_of_token_models(name):
    found = ZOO[name]
    card, config = found.card, found.config
    assert config is not None
    assert card.objective == ("causal" if isinstance(config, DecoderConfig) else "masked")
    assert card.end == ("[SEP]",)
    assert card.begin == (() if "v1.2" in name else ("[CLS]",))
    assert 0 < card.context <= config.max_positions
    assert str(found.hub_id).rpartition("/")[2].lower() == name
    assert {"gena-lm": "MIT", "moderngena": "Apache-2.0", "genomeocean": "BSD-3-Clause-LBNL"}[
        card.family
    ] == card.licence
    spans = (
        {512: "3.3 kb", 4096: "26 kb", 1024: "6.5 kb"}
        if card.objective == "masked"
        else {1024: "5 kb", 10_240: "50 kb"}
    )
    assert spans[card.context] in card.notes[0]


@pytest.mark.parametrize("name", [name for name, found in ZOO.items() if found.card.family in TOKEN_FAMILIES])
def test_the_mean_length_of_a_token_is_that_of_the_card(name):
    """Random bases, on which it would be measured, come in shorter tokens (5.6)."""
    found = ZOO[name]
    told = 6.3 if any("BPE_32k" in note for note in found.card.notes) else float(found.card.notes[0].split(" (")[1][:3])
    assert found.bases_per_token == told
    tokenizer = BpeTokenizer(published_vocabulary("BPE_32k" if told == 6.3 else "t2t_1000h_multi_32k"))
    assert found.with_settings(tokenizer).bases_per_token == told != tokenizer.bases_per_token


def test_every_published_checkpoint_is_here():
    base, bird = "gena-lm-bert-base", "gena-lm-bigbird-base"
    gena = {base, *(f"{base}-{end}" for end in ("t2t", "lastln-t2t", "t2t-multi", "yeast", "fly", "athaliana"))}
    gena |= {"gena-lm-bert-large-t2t", *(f"{bird}-{end}" for end in ("sparse", "sparse-t2t", "t2t"))}
    assert {name for name, found in ZOO.items() if found.card.family == "gena-lm"} == gena
    assert {name for name, found in ZOO.items() if found.card.family == "genomeocean"} == {
        f"genomeocean-{end}" for end in ("100m", "500m", "4b", "4b-bgcfm", "4b-v1.2", "100m-v1.2")
    }


def test_a_tiny_twin_of_every_architecture_is_made_in_memory(tmp_path):
    for name, found in ZOO.items():
        if found.vocabulary is not None:
            model = genolm.load(name)
            assert model.tokenizer.vocab_size == 128
            # A recurrent memory puts them around every segment itself.
            framing = ((), ()) if model.recurrent else ((1,), (2,))
            assert (model.begin_ids, model.end_ids) == framing
            biases = [weight for key, weight in model.network.named_parameters() if key.endswith("bias")]
            assert all(0 < bias.abs().max() <= 0.25 for bias in biases), "a forgotten bias must show"
            assert 0 < found.vocabulary.stat().st_size < 20_000


def test_random_weights_vary_and_their_logits_too():
    first, second = genolm.load("tiny-random"), genolm.load("tiny-random-dense")
    assert not (first.network.embedding.weight[:32] == second.network.embedding.weight).any()
    assert first.network.norm.weight.std() > 0.1


def test_a_card_survives_json():
    card = Card("a", notes=("x",), metrics={"bits_per_base": 1.8}, layer=3)
    assert Card.from_dict(card.to_dict()) == card
