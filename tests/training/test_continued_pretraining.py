"""Continued pretraining: a recipe starts from any checkpoint, causal or masked, and has its network and tokens."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from tests.training.written_recipe import write_recipe

import genolm
from genolm.errors import InputError, RunError
from genolm.models.networks.network import tensors_of
from genolm.training.pretrain import PretrainingTask, pretrain
from genolm.training.recipes.pretrain_recipe import Recipe
from genolm.training.trainer.workers import Workers


def continued(recipe: Recipe, start: Path | str, folder: Path, **values: object) -> Recipe:
    """The recipe file of a run that starts from a model."""
    file = write_recipe(recipe, folder / "first.yaml")
    written = yaml.safe_load(file.read_text())
    for name in ("model", "tokenizer", "objective"):
        del written[name]
    (folder / "second.yaml").write_text(yaml.safe_dump({**written, "start": str(start), **values}))
    return Recipe.load(folder / "second.yaml")


@pytest.mark.parametrize("kind", ["recipe", "gengram_recipe", "masked_recipe", "ocean_recipe"])
def test_a_run_starts_with_the_weights_and_tokens_of_a_checkpoint(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    first = replace(request.getfixturevalue(kind), steps=4, release="fp32")
    start = pretrain(first, tmp_path / "first")
    second = continued(first, start, tmp_path, name="further", steps=3)
    assert (second.model, second.objective) == (genolm.load(start).config, first.objective)
    whole = pretrain(second, tmp_path / "second")
    before, after = (genolm.load(folder, dtype="float32") for folder in (start, whole))
    assert after.tokenizer.to_json() == before.tokenizer.to_json()
    assert (after.card.begin, after.card.end) == (before.card.begin, before.card.end)
    assert after.card.training["start"]["name"] == "toy" and len(after.card.training["start"]["sha256"]) == 64
    assert not torch.equal(next(before.network.parameters()), next(after.network.parameters()))
    (tmp_path / "fresh").mkdir()
    fresh = PretrainingTask.read(second).trainer(tmp_path / "fresh", Workers())
    fresh.feed.close()
    assert all(
        torch.equal(weight, tensors_of(fresh.network)[name]) for name, weight in tensors_of(before.network).items()
    )
    pretrain(second, tmp_path / "parts", steps=2)
    parts = pretrain(second, tmp_path / "parts", resume=True)
    assert (parts / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


@pytest.mark.parametrize("start", ["tiny-random", "tiny-random-bert", "tiny-random-ocean-gqa", "tiny-random-gengram"])
def test_published_shapes_are_trained_further(start: str, recipe: Recipe, tmp_path: Path) -> None:
    second = continued(recipe, start, tmp_path, context=16, steps=2)
    trained = genolm.load(pretrain(replace(second, release="fp32"), tmp_path / "run"), dtype="float32")
    before = genolm.load(start)
    assert trained.config == before.config
    assert trained.card.family == before.card.family and trained.card.licence == before.card.licence
    assert f"Continued pretraining of {before.card.name}." in trained.card.notes
    old = dict(before.network.named_parameters())
    same = {name for name, weight in trained.network.named_parameters() if torch.equal(weight, old[name])}
    assert all(name.startswith(("pooler.", "sentence.")) for name in same)


def test_another_start_does_not_resume_a_run(recipe: Recipe, tmp_path: Path) -> None:
    start = pretrain(replace(recipe, steps=2), tmp_path / "first")
    second = continued(recipe, start, tmp_path)
    pretrain(second, tmp_path / "run", steps=1)
    pretrain(replace(recipe, steps=3), tmp_path / "other")
    start.rename(tmp_path / "elsewhere")
    (tmp_path / "other/model").rename(start)
    with pytest.raises(RunError, match="the training data or the weights of the start have changed"):
        pretrain(second, tmp_path / "run", resume=True)


def test_what_does_not_go_with_a_start_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    start = pretrain(replace(recipe, steps=1), tmp_path / "first")
    with pytest.raises(InputError, match=r"second\.yaml: tokenizer is that of start: remove it"):
        continued(recipe, start, tmp_path, tokenizer="t2t_1000h_multi_32k")
    with pytest.raises(InputError, match=r"second\.yaml: model is that of start: remove it"):
        continued(recipe, start, tmp_path, model={"vocab_size": 32})
    with pytest.raises(InputError, match=r"second\.yaml: the recipe's start: .*no-such-model"):
        continued(recipe, "no-such-model", tmp_path)
    with pytest.raises(InputError, match="decoders require objective: causal"):
        continued(recipe, start, tmp_path, objective="masked")
    second = continued(recipe, start, tmp_path)
    with pytest.raises(InputError, match="the model of the recipe differs from that of start"):
        pretrain(replace(second, model=replace(second.model, num_layers=1)), tmp_path / "run")
