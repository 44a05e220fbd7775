"""Recipes: the shipped ones run, and what is wrong in one is named."""

import re
from dataclasses import fields, replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.training.written_recipe import write_recipe

import genolm
from genolm.errors import InputError
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.encoder_config import EncoderConfig
from genolm.models.zoo.zoo import ZOO
from genolm.training.pretrain import pretrain
from genolm.training.recipes.pretrain_recipe import MaskingRecipe, OptimizerRecipe, Recipe, Stage, shipped_recipes
from genolm.training.trainer.schedule import schedule


def shrunk(shipped: Recipe, toy: Recipe, vocabulary: Path) -> Recipe:
    """Two steps of every stage, small enough for one process."""
    stages = tuple(
        Stage(64 * (number + 1), 2, 2, min(stage.micro_rows, 1), recompute=stage.recompute)
        for number, stage in enumerate(shipped.all_stages)
    )
    tokenizer = str(vocabulary) if shipped.tokenizer else ""
    small = {"model": shipped.model.shrunk(), "corpus": toy.corpus, "tokenizer": tokenizer, "sharding": "none"}
    return replace(shipped.staged(stages), **small, evaluate_windows=2, trackers=())


def nano_values() -> dict[str, Any]:
    """The YAML of the recipe of genolm-nano."""
    return yaml.safe_load((resources.files("genolm.training") / "recipes/genolm-nano.yaml").read_text("utf-8"))


def without_padding(config: DecoderConfig | EncoderConfig) -> DecoderConfig | EncoderConfig:
    """The toy vocabulary is smaller than the embedding, which a loaded encoder knows."""
    return replace(config, token_rows=0) if isinstance(config, EncoderConfig) else config


@pytest.mark.parametrize("name", shipped_recipes())
def test_shipped_recipes_parse_and_run_two_steps_of_every_stage(
    name: str, recipe: Recipe, vocabulary: Path, tmp_path: Path
) -> None:
    shipped = Recipe.load(name)
    assert shipped.name == name
    small = shrunk(shipped, recipe, vocabulary)
    model = genolm.load(pretrain(small, tmp_path / "run"))
    assert without_padding(model.config) == without_padding(shipped.model.shrunk())
    assert model.card.objective == shipped.objective


@pytest.mark.parametrize("name", ["genos-1.2b", "genos-10b", "gengram-10b"])
def test_large_recipes_have_the_published_shape_and_settings(name: str) -> None:
    recipe = Recipe.load(name)
    published = replace(ZOO[name].config, gengram=None)
    assert replace(recipe.model, gengram=None) == published
    memory = ZOO[name].config.gengram
    if memory is not None:
        assert recipe.model.gengram == replace(memory, compat="none", init="small")
    assert {stage.batch_rows * stage.context for stage in recipe.all_stages} == {8_388_608}
    assert [stage.context for stage in recipe.all_stages] == [2**13, 2**15, 2**17, 2**20]
    assert all(stage.batch_rows % (256 // stage.context_parallel) == 0 for stage in recipe.all_stages)
    rates = [schedule(step, recipe) * recipe.optimizer.learning_rate for step in range(0, recipe.steps, 100)]
    assert max(rates) == pytest.approx(1e-4, rel=1e-3)
    assert rates[-1] == pytest.approx(1e-5)


PUBLISHED = {
    "gena-bert-base": ("gena-lm-bert-base-t2t", {}),
    "gena-bert-large": ("gena-lm-bert-large-t2t", {}),
    "gena-bigbird-base": ("gena-lm-bigbird-base-t2t", {"pooler": "none"}),
    "moderngena-base": ("moderngena-base", {}),
    "genomeocean-100m": ("genomeocean-100m", {}),
    "genomeocean-500m": ("genomeocean-500m", {}),
    "genomeocean-4b": ("genomeocean-4b", {}),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_recipes_of_token_models_have_the_published_shape(name: str) -> None:
    recipe, (entry, changes) = Recipe.load(name), PUBLISHED[name]
    model = recipe.model
    if isinstance(model, EncoderConfig) and model.sparse is not None:
        assert model.sparse.random_blocks == "seeded"
        model = replace(model, sparse=replace(model.sparse, random_blocks="zero"))
    assert model == replace(ZOO[entry].config, **changes)
    assert recipe.all_stages[0].context == ZOO[entry].card.context or name == "genomeocean-4b"


def test_recipes_of_token_models_have_the_published_settings() -> None:
    base, modern, ocean = (Recipe.load(name) for name in ("gena-bert-base", "moderngena-base", "genomeocean-4b"))
    assert (base.optimizer.learning_rate, base.optimizer.weight_decay, base.batch_rows) == (1e-4, 0.0, 256)
    assert base.masking == MaskingRecipe()
    assert [schedule(step, base) for step in (4999, 9999, 2_000_000)] == [0.5, 1.0, 1.0]
    assert base.tokenizer == modern.tokenizer == "t2t_1000h_multi_32k"
    assert modern.masking == MaskingRecipe(0.3, 0.15, (1,), short_probability=1.0, shortest=10)
    assert modern.optimizer.warmup_steps * modern.batch_rows * modern.context == pytest.approx(3e9, rel=1e-3)
    assert modern.steps * modern.batch_rows * modern.context == pytest.approx(1510e9, rel=1e-3)
    assert (ocean.optimizer.epsilon, ocean.optimizer.betas, ocean.steps) == (1e-5, (0.9, 0.95), 59_000)
    assert [stage.context for stage in ocean.all_stages] == [1024, 10_240]
    assert all(stage.context * stage.batch_rows == pytest.approx(4.2e6, rel=0.02) for stage in ocean.all_stages)


def test_the_small_recipes_hold_out_whole_genera() -> None:
    for name in ("genolm-mini-bert", "genolm-mini-ocean"):
        recipe = Recipe.load(name)
        assert 4e6 < recipe.model.parameters < 8e6
        held = {text.split("_")[0] for texts in recipe.corpus.held_out.values() for text in texts}
        files = [Path(file).name.split("_")[0] for file in recipe.corpus.fasta]
        assert sum(file in held for file in files) == sum(map(len, recipe.corpus.held_out.values()))
        assert recipe.corpus == Recipe.load("genolm-mini-bert").corpus


def test_every_key_is_explained_in_the_nano_recipe() -> None:
    text = (resources.files("genolm.training") / "recipes/genolm-nano.yaml").read_text()
    lines = [line for line in text.splitlines() if ":" in line.split("#")[0]]
    named = {line.split(":")[0].strip() for line in lines}
    missing = {item.name for kind in (Recipe, OptimizerRecipe, Stage) for item in fields(kind)} - named
    assert missing == {"stages"}
    assert "stages: [" in text


def test_stages_and_their_keys_beside_them_contradict(recipe: Recipe, tmp_path: Path) -> None:
    file = write_recipe(recipe.staged((Stage(32, 4, 3), Stage(64, 2, 4))), tmp_path / "r.yaml")
    values = yaml.safe_load(file.read_text())
    wrong = {
        "context": (64, "a recipe with stages must set this in each stage .*'context'"),
        "stages": ([], r"stages must be a list of mappings"),
        "optimizer": ({"warmup_fraction": 0.1}, "one of warmup_steps and warmup_fraction must be 0"),
        "trackers": (["weightsandbiases"], "tracker must be tensorboard or wandb"),
        "sharding": ("zero", "sharding must be none or fsdp"),
    }
    for key, (value, message) in wrong.items():
        file.write_text(yaml.safe_dump({**values, key: value}))
        with pytest.raises(InputError, match=rf"r\.yaml: {message}"):
            Recipe.load(file)
    file.write_text(yaml.safe_dump({**values, "stages": [{"context": 64, "batch_rows": 2, "steps": 0}]}))
    with pytest.raises(InputError, match=r"r\.yaml: steps must be at least 1 .*value 0"):
        Recipe.load(file)
    with pytest.raises(InputError, match="stages must set context"):
        replace(recipe.staged((Stage(32, 4, 3),)), steps=2)
    with pytest.raises(InputError, match="muon needs complete matrices"):
        replace(recipe, sharding="fsdp", optimizer=OptimizerRecipe(name="muon"))
    with pytest.raises(InputError, match="must not exceed the model's max_positions"):
        replace(recipe, context=2_000_000)
    with pytest.raises(InputError, match="must be divisible by context_parallel"):
        replace(recipe, context_parallel=3)


@pytest.mark.parametrize("name", shipped_recipes())
def test_the_command_of_a_recipe_sets_what_it_reads(name: str) -> None:
    text = (resources.files("genolm.training") / f"recipes/{name}.yaml").read_text("utf-8")
    head = "".join(line for line in text.splitlines(keepends=True)[:4] if line.startswith("#"))
    needed = {line.split("#")[0] for line in text.splitlines() if not line.startswith("#")}
    assert set(re.findall(r"\$(GENOLM_\w+)", " ".join(needed))) <= set(re.findall(r"(GENOLM_\w+)=", head))


@pytest.mark.parametrize("key", ["corpus", "optimizer"])
def test_a_part_that_is_needed_is_not_empty(key: str, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(yaml.safe_dump({**nano_values(), key: None}))
    with pytest.raises(InputError, match=rf"r\.yaml: {key} must be a mapping"):
        Recipe.load(tmp_path / "r.yaml")


@pytest.mark.parametrize("key", ["masking", "haplotypes"])
def test_a_part_that_may_be_absent_may_be_empty(key: str, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(yaml.safe_dump({**nano_values(), key: None}))
    assert Recipe.load(tmp_path / "r.yaml") == Recipe.load("genolm-nano")


def test_recipe_errors_name_file_and_value(tmp_path: Path) -> None:
    file = tmp_path / "r.yaml"
    file.write_text("name: x\nstep: 3\n")
    with pytest.raises(InputError, match=r"r\.yaml: unknown key in recipe; .*value 'step'"):
        Recipe.load(file)
    file.write_text("name: [x\n")
    with pytest.raises(InputError, match=r"r\.yaml:2: not valid YAML"):
        Recipe.load(file)
    file.write_text("name: x\n")
    with pytest.raises(InputError, match=r"r\.yaml: recipe lacks the key model"):
        Recipe.load(file)
    file.write_text("name: x\nmodel: {}\ncorpus: {fasta: [], held_out: {}, min_run: 1e2}\n")
    with pytest.raises(InputError, match=r"r\.yaml: model lacks the key vocab_size"):
        Recipe.load(file)
    with pytest.raises(InputError, match=r"not one of the shipped recipes: .*genolm-nano"):
        Recipe.load("genolm-nanno")
