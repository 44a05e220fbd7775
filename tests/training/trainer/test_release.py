"""A trained model leaves: to transformers, to Megatron and back."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import genolm
from genolm.errors import ModelError
from genolm.models.gengram.gengram_config import GengramConfig
from genolm.training.pretrain import pretrain
from genolm.training.recipes.pretrain_recipe import Recipe


def test_trained_experts_give_the_same_logits_in_transformers(expert_recipe: Recipe, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    describe_run = pretrain(expert_recipe, tmp_path / "run", steps=2)
    export = genolm.convert(describe_run, tmp_path / "export", to="huggingface")
    theirs, report = transformers.AutoModelForCausalLM.from_pretrained(
        export, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    assert not any(report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    model = genolm.load(describe_run, dtype="float32", device="cpu")
    ids = torch.as_tensor(model.tokenizer.encode("ACGTTGCANNACGATC" * 4))[None].long()
    assert (
        transformers.AutoTokenizer.from_pretrained(export)("ACGTN")["input_ids"]
        == model.tokenizer.encode("ACGTN").tolist()
    )
    with torch.inference_mode():
        torch.testing.assert_close(model.network(ids).logits_BLV, theirs(ids).logits, atol=5e-5, rtol=1e-4)


def test_a_trained_memory_goes_through_megatron(expert_recipe: Recipe, tmp_path: Path) -> None:
    memory = GengramConfig(layers=(2,), orders=(1, 2), dim=4, window=5, conv_dilation=2)
    recipe = replace(expert_recipe, model=replace(expert_recipe.model, gengram=memory))
    describe_run = pretrain(recipe, tmp_path / "run", steps=2)
    with pytest.raises(ModelError, match="a Gengram memory cannot be expressed in the huggingface layout"):
        genolm.convert(describe_run, tmp_path / "export", to="huggingface")
    megatron = genolm.convert(describe_run, tmp_path / "megatron", to="megatron")
    back = genolm.convert(megatron / "release", tmp_path / "back", to="genolm")
    first, second = (genolm.load(folder, dtype="float32", device="cpu") for folder in (describe_run, back))
    assert (first.config, first.fingerprint) == (second.config, second.fingerprint)
