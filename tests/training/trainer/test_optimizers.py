"""Optimizers: parameter groups with their own rates, frozen parts, and resumed moments."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import genolm
from genolm.errors import InputError
from genolm.models.heads.head_config import LabelHeadConfig
from genolm.models.heads.headed_network import HeadedNetwork, build_head
from genolm.models.networks.decoder import Decoder
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.pretrain import pretrain
from genolm.training.recipes.pretrain_recipe import Recipe
from genolm.training.trainer.optimizers import build_optimizer
from genolm.training.trainer.weights import initialise


def test_parts_have_their_own_rates(recipe: Recipe) -> None:
    network = initialise(Decoder(recipe.model), 0)
    plan = replace(recipe.optimizer, rates={"layers": 0.5, "layers.1": 0.1, "head": 3.0})
    names = {id(weight): name for name, weight in network.named_parameters()}
    groups = build_optimizer(network, plan).param_groups
    peaks = {names[id(weight)]: group["peak"] for group in groups for weight in group["params"]}
    assert peaks.keys() == set(names.values())
    assert peaks["layers.0.attention.query.weight"] == pytest.approx(0.005)
    assert peaks["layers.1.attention.query.weight"] == pytest.approx(0.001)
    assert peaks["head.weight"] == pytest.approx(0.03)
    assert peaks["kmer.tables.0.weight"] == pytest.approx(0.02)
    assert peaks["norm.weight"] == pytest.approx(0.01)


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_frozen_parts_do_not_move_and_are_not_stored(name: str, recipe: Recipe, tmp_path: Path) -> None:
    frozen = replace(recipe.optimizer, name=name, rates={"layers.0": 0, "embedding": 0.0})
    recipe = replace(recipe, optimizer=frozen, release="fp32")
    network = genolm.load(pretrain(recipe, tmp_path / "run"), dtype="float32").network
    initial = dict(initialise(Decoder(recipe.model), recipe.seed).named_parameters())
    stored = load_file(tmp_path / "run/checkpoints/step-8/state.safetensors")
    for weight, value in network.named_parameters():
        still = weight.startswith(("layers.0.", "embedding."))
        assert torch.equal(value, initial[weight]) == still, weight
        assert (f"weight.{weight}" in stored) == (not still), weight
    pretrain(recipe, tmp_path / "parts", steps=3)
    parts = pretrain(recipe, tmp_path / "parts", resume=True)
    assert (parts / "model.safetensors").read_bytes() == (tmp_path / "run/model/model.safetensors").read_bytes()


def test_rates_that_do_not_apply_are_refused(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"rates names a part that the network does not have .*'layer'"):
        pretrain(replace(recipe, optimizer=replace(recipe.optimizer, rates={"layer": 0.1})), tmp_path / "run")
    nothing = dict.fromkeys(("embedding", "kmer", "layers", "norm", "head"), 0.0)
    with pytest.raises(InputError, match="no weight is trainable"):
        pretrain(replace(recipe, optimizer=replace(recipe.optimizer, rates=nothing)), tmp_path / "none")
    with pytest.raises(InputError, match="the rate of head must be 0 or above, and finite"):
        replace(recipe.optimizer, rates={"head": -1.0})


def test_adafactor_has_moments_of_rows_and_columns_and_resumes(recipe: Recipe, tmp_path: Path) -> None:
    recipe = replace(recipe, optimizer=replace(recipe.optimizer, name="adafactor"))
    whole = pretrain(recipe, tmp_path / "whole")
    stored = load_file(tmp_path / "whole/checkpoints/step-8/state.safetensors")
    moments = sum(value.numel() for name, value in stored.items() if name.startswith("optimizer."))
    weights = sum(value.numel() for name, value in stored.items() if name.startswith("weight."))
    assert moments < weights / 2
    pretrain(recipe, tmp_path / "parts", steps=3)
    parts = pretrain(recipe, tmp_path / "parts", resume=True)
    assert (parts / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    with pytest.raises(InputError, match="adafactor needs complete matrices"):
        replace(recipe, sharding="fsdp")


def test_a_head_called_tables_is_not_a_kmer_table(recipe: Recipe) -> None:
    config = LabelHeadConfig(("weak", "strong"))
    network = HeadedNetwork(
        Decoder(recipe.model), {"tables": build_head(config, recipe.model, 0)}, NucleotideTokenizer()
    )
    names = {id(weight): name for name, weight in network.named_parameters()}
    groups = build_optimizer(network, replace(recipe.optimizer, weight_decay=0.1)).param_groups
    decays = {names[id(weight)]: group["weight_decay"] for group in groups for weight in group["params"]}
    matrices = [name for name, weight in network.named_parameters() if name.startswith("heads.") and weight.ndim == 2]
    assert matrices and all(decays[name] == 0.1 for name in matrices)
    assert decays["backbone.kmer.tables.0.weight"] == 0.0
