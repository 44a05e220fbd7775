"""Low-rank updates in a network: what is trained, and merging."""

import copy
import dataclasses

import pytest
import torch

import genolm
from genolm.errors import ModelError
from genolm.models.heads.head_config import LabelHeadConfig
from genolm.models.heads.headed_network import HeadedNetwork, build_head
from genolm.models.lora.base_weights import base_sha256
from genolm.models.lora.lora_config import LoraConfig
from genolm.models.lora.lora_linear import add_lora, lora_layers, merge_lora
from genolm.models.networks.network import tensors_of
from genolm.models.networks.random_weights import random_network

IDS = torch.tensor([[5, 6, 7, 8, 9, 5, 5, 6]])
CONFIG = LoraConfig(rank=3, alpha=6.0, modules_to_save=("head",))


def adapted(name="tiny-random", config=CONFIG):
    """Return a network with updates that change something."""
    network = add_lora(copy.deepcopy(genolm.load(name, dtype="float32").network), config, seed=1)
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in network.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn_like(weight) * 0.1)
    return network


def test_new_updates_change_nothing_and_only_they_are_trained():
    model = genolm.load("tiny-random", dtype="float32")
    before = {name: tensor.clone() for name, tensor in tensors_of(model.network).items()}
    head = build_head(LabelHeadConfig(("a", "b")), model.config)
    network = HeadedNetwork(copy.deepcopy(model.network), {"labels": head}, model.tokenizer)
    assert add_lora(network, CONFIG) is network
    with torch.no_grad():
        assert torch.equal(network.backbone(IDS).logits_BLV, model.network(IDS).logits_BLV)
    trained = {name for name, weight in network.named_parameters() if weight.requires_grad}
    updates = {name for name in trained if "lora_" in name}
    assert len(updates) == 2 * 2 * model.config.num_layers
    assert trained - updates == {"backbone.head.weight", "heads.labels.output.weight", "heads.labels.output.bias"}
    after = tensors_of(network.backbone)
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


@pytest.mark.parametrize("name", ["tiny-random", "tiny-random-dense", "tiny-random-bert", "tiny-random-moderngena"])
def test_merged_equals_unmerged(name):
    config = LoraConfig(rank=2, targets=("attention.query", "attention.output"))
    network = adapted(name, config).eval()
    output = 0 if name.startswith("tiny-random-bert") else -1
    with torch.no_grad():
        before = network(IDS)[0]
        plain = genolm.load(name, dtype="float32").network(IDS)[0]
        after = merge_lora(network)(IDS)[0]
    assert output is not None and not lora_layers(network)
    finite = before.isfinite()
    torch.testing.assert_close(after[finite], before[finite], atol=1e-5, rtol=1e-4)
    assert (before - plain)[finite].abs().max() > 0.1


def test_updates_of_weights_in_half_precision_are_in_full():
    network = genolm.load("tiny-random", dtype="bfloat16").network
    network = add_lora(copy.deepcopy(network), CONFIG)
    layer = lora_layers(network)[0][1]
    assert layer.lora_A.dtype == layer.lora_B.dtype == torch.float32
    assert network(IDS).hidden == {} and layer(torch.ones(1, 48, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_a_model_must_be_merged_before_inference():
    model = genolm.load("tiny-random")
    with pytest.raises(ModelError, match="merge them before inference"):
        genolm.Model(adapted(), model.tokenizer, model.card)


def test_the_seed_gives_the_updates():
    def first(seed):
        network = add_lora(copy.deepcopy(genolm.load("tiny-random").network), CONFIG, seed)
        return lora_layers(network)[0][1].lora_A

    assert torch.equal(first(1), first(1)) and not torch.equal(first(1), first(2))


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("tiny-random", {"targets": ("ffn.down",)}, "ffn.down is not applicable.*experts are stacked tensors"),
        ("tiny-random-bert", {"targets": ("ffn.gate",)}, "ffn.gate is not applicable.*it has no such layer"),
        ("tiny-random", {"modules_to_save": ("lm_head",)}, "no module 'lm_head' to train in full; it has embedding"),
        ("tiny-random", {"modules_to_save": ("layers.0",)}, "layers.0.attention.query cannot be both"),
    ],
)
def test_what_cannot_be_adapted_is_refused(name, changes, message):
    with pytest.raises(ModelError, match=message):
        adapted(name, dataclasses.replace(CONFIG, **{"modules_to_save": (), **changes}))


def test_a_tied_head_is_trained_as_the_embedding():
    tied = random_network(dataclasses.replace(genolm.load("tiny-random").config, tied=True), seed=1)
    with pytest.raises(ModelError, match=r"'head' shares the tensor embedding.weight; name that module instead"):
        add_lora(tied, CONFIG)
    add_lora(tied, dataclasses.replace(CONFIG, modules_to_save=("embedding",)))
    assert tied.head.weight.requires_grad


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rank": 0}, "rank must be at least 1"),
        ({"alpha": 0}, "alpha must be positive"),
        ({"dropout": 1.0}, "dropout must be in"),
        ({"targets": ["head"]}, "targets must be among .*not 'head'"),
        ({"targets": []}, "at least one linear layer"),
        ({"use_dora": True}, "unknown lora keys: use_dora"),
    ],
)
def test_an_invalid_config_is_refused(values, message):
    with pytest.raises(ModelError, match=message):
        LoraConfig.from_dict(values)
    assert LoraConfig.from_dict(CONFIG.to_dict()) == CONFIG


def test_the_base_is_known_in_a_wider_precision_too():
    half = genolm.load("tiny-random", dtype="bfloat16").network
    wide = copy.deepcopy(half).float()
    assert base_sha256(half) == base_sha256(wide) != base_sha256(genolm.load("tiny-random", dtype="float32").network)
