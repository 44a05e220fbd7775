"""Recipes: the shipped ones run, and what is wrong in one is named."""

from dataclasses import replace
from pathlib import Path

import pytest

import genolm
from genolm.errors import InputError
from genolm.training.pretrain import pretrain
from genolm.training.recipe import Recipe, shipped_recipes


@pytest.mark.parametrize("name", shipped_recipes())
def test_shipped_recipes_parse_and_run_two_steps(name: str, recipe: Recipe, tmp_path: Path) -> None:
    shipped = Recipe.load(name)
    small = replace(
        shipped,
        model=shipped.model.shrunk(),
        corpus=replace(shipped.corpus, fasta=recipe.corpus.fasta, held_out={"test": ("chr3",)}),
        context=64,
        evaluate_windows=2,
        steps=2,
    )
    assert genolm.load(pretrain(small, tmp_path / "run")).config == shipped.model.shrunk()


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
    with pytest.raises(InputError, match="not one of the shipped recipes: genolm-nano"):
        Recipe.load("genolm-nanno")
