"""A random genome of three contigs and a recipe that trains a tiny decoder on it in a second."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, models, trainers

from genolm.models.gengram.gengram_config import GengramConfig
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.encoder_config import EncoderConfig
from genolm.training.recipes.pretrain_recipe import CorpusRecipe, MaskingRecipe, OptimizerRecipe, Recipe


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
        optimizer=OptimizerRecipe(learning_rate=1e-2, warmup_steps=2),
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


@pytest.fixture(scope="session")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A byte-pair vocabulary of 90 tokens."""
    return toy_vocabulary(tmp_path_factory.mktemp("vocabulary"))


def toy_vocabulary(folder: Path) -> Path:
    special = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]
    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
    trainer = trainers.BpeTrainer(
        vocab_size=90, special_tokens=special, initial_alphabet=list("ACGTN"), show_progress=False
    )
    tokenizer.train_from_iterator([random_dna(500, seed) for seed in range(20)], trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture
def masked_recipe(recipe: Recipe, vocabulary: Path) -> Recipe:
    return toy_masked(recipe, vocabulary)


def toy_masked(recipe: Recipe, vocabulary: Path) -> Recipe:
    model = EncoderConfig(96, 32, 2, 4, 48, max_positions=64, norm_eps=1e-5)
    masking = MaskingRecipe(short_probability=0.3, shortest=3)
    return replace(recipe, model=model, objective="masked", tokenizer=str(vocabulary), masking=masking, context=32)


@pytest.fixture
def ocean_recipe(recipe: Recipe, vocabulary: Path) -> Recipe:
    return toy_ocean(recipe, vocabulary)


def toy_ocean(recipe: Recipe, vocabulary: Path) -> Recipe:
    model = DecoderConfig(96, 32, 2, 4, 2, 8, 48, pad_id=3)
    return replace(recipe, model=model, tokenizer=str(vocabulary), context=32)
