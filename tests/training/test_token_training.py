"""Runs on byte-pair tokens and on hidden ones: what they report, what they start from, and that they learn."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.training.conftest import random_dna

import genolm
from genolm.errors import InputError
from genolm.models.networks.network import make_network
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.corpus import load_corpus
from genolm.training.objectives.token_prediction import CausalObjective, MaskedObjective
from genolm.training.pretrain import pretrain
from genolm.training.recipes.pretrain_recipe import MaskingRecipe, Recipe
from genolm.training.recipes.recipe_tokens import tokenisation_of
from genolm.training.trainer.evaluation import held_out
from genolm.training.trainer.throughput import training_flops
from genolm.training.trainer.weights import initialise
from genolm.training.trainer.workers import Workers

CORPUS = NucleotideTokenizer(iupac="N")
KINDS = ["masked_recipe", "ocean_recipe"]
Reports = list[dict]


def run(recipe: Recipe, folder: Path) -> Reports:
    reports: Reports = []
    pretrain(recipe, folder, log=reports.append)
    return reports


def reported(reports: Reports, name: str) -> list:
    return [report[name] for report in reports if name in report]


@pytest.mark.parametrize("kind", KINDS)
def test_an_untrained_model_is_as_surprised_as_by_a_drawn_token(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    reports = run(replace(request.getfixturevalue(kind), steps=1, batch_rows=16), tmp_path / "run")
    assert reported(reports, "nats_per_token")[0] == pytest.approx(math.log(96), abs=0.15)


@pytest.mark.parametrize("kind", KINDS)
def test_bits_per_base_are_those_of_the_tokens_over_their_bases(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    reports = run(request.getfixturevalue(kind), tmp_path / "run")
    per_token = reported(reports, "bases_per_token")[0]
    for bits, nats in ((reported(reports, "bits_per_base"), reported(reports, "nats_per_token")),):
        ratios = [n / math.log(2) / b for n, b in zip(nats, bits, strict=True)]
        assert ratios == pytest.approx([per_token] * len(ratios), rel=0.15)
    held, nats = (reported(reports, f"held_out_{name}")[-1]["test"] for name in ("bits_per_base", "nats_per_token"))
    assert nats / math.log(2) / held == pytest.approx(per_token, rel=0.15)
    assert 0 <= reported(reports, "held_out_accuracy")[-1]["test"] < 0.3
    # Random bases: the frequency of tokens is nearly all that there is to know.
    assert reported(reports, "frequency_bits_per_base")[0]["test"] == pytest.approx(2.1, abs=0.15)


def repeated(recipe: Recipe, folder: Path) -> Recipe:
    """The same sequence over and over in training and in what is held out."""
    unit = random_dna(61, 7)
    fasta = folder / "repeat.fa"
    fasta.write_text(f">a\n{unit * 60}\n>chr3\n{unit * 20}\n")
    corpus = replace(recipe.corpus, fasta=(str(fasta),), leak_fraction=1.0, strand="forward")
    return replace(recipe, corpus=corpus, steps=100, batch_rows=32, evaluate_every=100)


@pytest.mark.parametrize("kind", KINDS)
def test_a_repeated_sequence_is_learned(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    recipe = repeated(request.getfixturevalue(kind), tmp_path)
    if kind == "masked_recipe":
        model = replace(recipe.model, positions="rotary")
        recipe = replace(recipe, model=model, masking=MaskingRecipe(short_probability=0.0))
    reports = run(recipe, tmp_path / "run")
    assert reported(reports, "held_out_nats_per_token")[-1]["test"] < 0.5 * math.log(96)
    assert reported(reports, "held_out_accuracy")[-1]["test"] > 0.5
    assert (
        reported(reports, "held_out_bits_per_base")[-1]["test"]
        < reported(reports, "frequency_bits_per_base")[0]["test"] / 1.5
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_folder_says_how_the_model_was_trained(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    recipe = replace(request.getfixturevalue(kind), steps=2)
    model = genolm.load(pretrain(recipe, tmp_path / "run"))
    masked = kind == "masked_recipe"
    assert (model.card.objective, model.card.begin) == (recipe.objective, ("[CLS]",))
    assert model.card.end == (("[SEP]",) if masked else ())
    vocabulary = Path(recipe.tokenizer)
    text = random_dna(50, 3)
    ours = tokenisation_of(recipe, CORPUS, load_corpus(recipe.corpus, CORPUS).splits["train"]).tokenizer
    assert np.array_equal(model.tokenizer.encode(text), ours.encode(text))
    assert (
        json.loads((tmp_path / "run/model/tokenizer.json").read_text())["model"]["vocab"]
        == (json.loads((vocabulary / "tokenizer.json").read_text())["model"]["vocab"])
    )
    wanted = {f"test_{name}" for name in ("bits_per_base", "nats_per_token", "accuracy", "bits_per_base_by_frequency")}
    assert wanted <= set(model.card.metrics)
    assert model.card.training["recipe"]["objective"] == recipe.objective


def test_masked_loss_is_that_of_a_pass_over_all_places(masked_recipe: Recipe) -> None:
    train = load_corpus(masked_recipe.corpus, CORPUS).splits["train"]
    tokens = tokenisation_of(masked_recipe, CORPUS, train)
    laid, network = tokens.rows(32), initialise(make_network(masked_recipe.model), 0)
    assert laid is not None and tokens.bases_V is not None
    windows = np.stack([train.ids(0)[start : start + 70] for start in (0, 100, 200, 300, 400)])
    rows = laid.held_out(windows, [(1, n) for n in range(5)])
    objective = MaskedObjective(torch.device("cpu"), False, tokens.bases_V)
    found = held_out(network, rows, objective, 2, Workers())
    assert found is not None and rows.targets is not None and rows.lengths_R is not None
    nats, bases, right = 0.0, 0, 0
    for ids, labels, length in zip(rows.ids_RL, rows.targets, rows.lengths_R, strict=True):
        alone = torch.from_numpy(ids[None, :length].astype(np.int64))
        wanted = torch.from_numpy(labels[:length].astype(np.int64))
        logits = network(alone).logits[0]
        nats += F.cross_entropy(logits, wanted, ignore_index=-100, reduction="sum").item()
        bases += int(np.asarray(tokens.tokenizer.lengths)[labels[:length][labels[:length] >= 0]].sum())
        right += int((logits.argmax(-1) == wanted).sum())
    count = int((rows.targets >= 0).sum())
    assert found["nats_per_token"] == pytest.approx(nats / count, rel=1e-4)
    assert found["bits_per_base"] == pytest.approx(nats / bases / math.log(2), rel=1e-4)
    assert found["accuracy"] == right / count


def test_the_frequency_baseline_is_the_entropy_of_the_counted_tokens(ocean_recipe: Recipe) -> None:
    train = load_corpus(ocean_recipe.corpus, CORPUS).splits["train"]
    tokens = tokenisation_of(ocean_recipe, CORPUS, train)
    laid = tokens.rows(32)
    assert laid is not None and tokens.bases_V is not None
    objective = CausalObjective(ocean_recipe.model, tokens.targets_V, torch.device("cpu"), False, tokens.bases_V)
    rows = laid.held_out(train.ids(0)[None, :400], [()])
    bits = objective.frequency_bits(tokens.frequencies(), rows)
    second_half = rows.ids_RL[0, 33 // 2 :]
    lengths = np.asarray(tokens.tokenizer.lengths)
    assert bits == pytest.approx(-np.log2(tokens.frequencies()[second_half]).sum() / lengths[second_half].sum())


def test_one_base_a_token_is_hidden_as_well(masked_recipe: Recipe, tmp_path: Path) -> None:
    recipe = replace(masked_recipe, tokenizer="", model=replace(masked_recipe.model, pad_id=14), steps=2)
    reports = run(recipe, tmp_path / "run")
    assert reported(reports, "bases_per_token") == [1.0]
    assert reported(reports, "bits_per_base")[0] == pytest.approx(math.log2(96), abs=0.3)


def test_held_out_copies_stay_out_of_rows_of_tokens(masked_recipe: Recipe, tmp_path: Path) -> None:
    held = random_dna(1500, 4)  # chr3 of the toy genome, in lower case there
    fasta = tmp_path / "copy.fa"
    fasta.write_text(f">chr9\n{random_dna(2000, 11)}{held}{random_dna(2000, 12)}\n")
    corpus = replace(masked_recipe.corpus, fasta=(*masked_recipe.corpus.fasta, str(fasta)))
    reports = run(replace(masked_recipe, corpus=corpus, steps=1), tmp_path / "run")
    assert 1000 <= reports[0]["bases"]["dropped"] <= 2500


def test_what_an_encoder_sees_is_in_its_flops(masked_recipe: Recipe) -> None:
    model = replace(masked_recipe.model, num_layers=4)
    layer = 4 * 32 * 32 + 2 * 32 * 48
    assert training_flops(model, 64) == 6 * 4 * layer + 3 * 4 * 32 * 4 * 64
    local = replace(model, global_every=2, local_window=16)
    assert training_flops(model, 64) - training_flops(local, 64) == 3 * 4 * 32 * 2 * (64 - 17)


def test_objectives_and_networks_that_do_not_fit_are_refused(masked_recipe: Recipe, ocean_recipe: Recipe) -> None:
    wrong = {
        "encoders require objective: masked": (masked_recipe, {"objective": "causal"}),
        "decoders require objective: causal": (ocean_recipe, {"objective": "masked"}),
        "masking requires objective: masked": (ocean_recipe, {"masking": MaskingRecipe()}),
        "objective must be causal or masked": (ocean_recipe, {"objective": "span"}),
        "k-mer memories require one base per token": (
            ocean_recipe,
            {"model": replace(ocean_recipe.model, kmer_orders=(2,), kmer_dims=(4,))},
        ),
        "does not train a pooler": (masked_recipe, {"model": replace(masked_recipe.model, pooler="tanh")}),
        "masked_head must be true": (masked_recipe, {"model": replace(masked_recipe.model, masked_head=False)}),
        "context_parallel is available for decoders only": (masked_recipe, {"context_parallel": 2}),
        "two special tokens and one more": (masked_recipe, {"context": 2}),
    }
    for message, (recipe, values) in wrong.items():
        with pytest.raises(InputError, match=message):
            replace(recipe, **values)
