"""A random genome of three contigs and a recipe that trains a tiny decoder on it in a second."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from genolm.models.config import DecoderConfig
from genolm.models.gengram_config import GengramConfig
from genolm.training.recipe import CorpusRecipe, OptimizerRecipe, Recipe


def random_dna(length: int, seed: int) -> str:
    return "".join(np.array(list("ACGT"))[np.random.default_rng(seed).integers(0, 4, length)])


@pytest.fixture
def fasta(tmp_path: Path) -> Path:
    return toy_fasta(tmp_path)


def toy_fasta(folder: Path) -> Path:
    path = folder / "genome.fa"
    contigs = {"chr1": random_dna(3000, 1) + "N" * 50 + random_dna(400, 2), "chr2": random_dna(2000, 3)}
    contigs["chr3"] = random_dna(1500, 4).lower()
    path.write_text("".join(f">{name}\n{sequence}\n" for name, sequence in contigs.items()))
    return path


@pytest.fixture
def recipe(fasta: Path) -> Recipe:
    return toy_recipe(fasta)


def toy_recipe(fasta: Path) -> Recipe:
    model = DecoderConfig(32, 32, 2, 4, 2, 8, 48, kmer_orders=(3,), kmer_dims=(8,))
    corpus = CorpusRecipe(fasta=(str(fasta),), held_out={"test": ("chr3",)}, min_run=50)
    return Recipe(
        "toy",
        model,
        corpus,
        OptimizerRecipe(learning_rate=1e-2, warmup_steps=2),
        context=64,
        batch_rows=4,
        steps=8,
        evaluate_every=4,
        evaluate_windows=4,
        checkpoint_every=2,
    )


@pytest.fixture
def expert_recipe(recipe: Recipe) -> Recipe:
    model = replace(recipe.model, num_experts=4, experts_per_token=2, kmer_orders=(), kmer_dims=())
    return replace(recipe, model=model)


@pytest.fixture
def muon_recipe(recipe: Recipe) -> Recipe:
    return replace(recipe, optimizer=replace(recipe.optimizer, name="muon"))


@pytest.fixture
def gengram_recipe(expert_recipe: Recipe) -> Recipe:
    memory = GengramConfig(layers=(1, 2), orders=(1, 2, 3), dim=4, window=5)
    return replace(expert_recipe, model=replace(expert_recipe.model, gengram=memory))
