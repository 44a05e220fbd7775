"""Pretraining: resume equals uninterrupted, held-out bases stay out, the loss counts what it says."""

import json
import os
import random
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.training.written_recipe import write_recipe

import genolm
from genolm.errors import RunError
from genolm.models.networks.decoder import Decoder
from genolm.training.pretrain import pretrain
from genolm.training.recipes.pretrain_recipe import Recipe
from genolm.training.trainer.optimizers import build_optimizer
from genolm.training.trainer.weights import initialise

KINDS = ["recipe", "expert_recipe", "muon_recipe", "gengram_recipe", "masked_recipe", "ocean_recipe"]


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def losses(run: Path) -> list[float]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [line["bits_per_base"] for line in lines if "bits_per_base" in line]


def test_the_loss_falls_on_a_repeated_sequence(recipe: Recipe, tmp_path: Path) -> None:
    fasta = tmp_path / "repeat.fa"
    fasta.write_text(">a\n" + "ACGTTGCA" * 200 + "\n>chr3\n" + "ACGTTGCA" * 60 + "\n")
    corpus = replace(recipe.corpus, fasta=(str(fasta),), leak_fraction=1.0)
    reports: list[dict[str, object]] = []
    pretrain(replace(recipe, corpus=corpus, steps=60, evaluate_every=60), tmp_path / "run", log=reports.append)
    bits = [report["held_out_bits_per_base"] for report in reports if "held_out_bits_per_base" in report]
    assert bits[-1]["test"] < 0.5  # type: ignore[index]


@pytest.mark.parametrize("kind", KINDS)
def test_resumed_equals_uninterrupted(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    recipe = request.getfixturevalue(kind)
    whole = pretrain(recipe, tmp_path / "whole")
    pretrain(recipe, tmp_path / "parts", steps=3)
    resumed = pretrain(recipe, tmp_path / "parts", resume=True)
    assert weights(resumed) == weights(whole)
    assert losses(tmp_path / "parts")[-1] == losses(tmp_path / "whole")[-1]


_PROGRAM = """
import os, signal, sys
import torch
from genolm.training.pretrain import pretrain

torch.set_num_threads(int(sys.argv[4]))  # sums of gradients depend on it

def kill(report):
    if report["step"] == int(sys.argv[3]) and "bits_per_base" in report:
        os.kill(os.getpid(), signal.SIGKILL)

pretrain(sys.argv[1], sys.argv[2], log=kill)
"""


@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_a_random_step_and_resumed_equals_uninterrupted(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    recipe = replace(request.getfixturevalue(kind), steps=30, checkpoint_every=4, report_every=1)
    whole = pretrain(recipe, tmp_path / "whole")
    file, at = write_recipe(recipe, tmp_path / "recipe.yaml"), random.SystemRandom().randint(5, 29)
    words = [sys.executable, "-c", _PROGRAM, str(file), str(tmp_path / "parts"), str(at), str(torch.get_num_threads())]
    assert subprocess.run(words, check=False).returncode == -signal.SIGKILL
    assert len(losses(tmp_path / "parts")) == at
    assert weights(pretrain(recipe, tmp_path / "parts", resume=True)) == weights(whole), f"killed at step {at}"
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole"), f"killed at step {at}"


def test_a_signal_saves_and_stops(recipe: Recipe, tmp_path: Path) -> None:
    def stop(report: dict[str, object]) -> None:
        if report["step"] == 4:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt, match="; pass resume=True to continue"):
        pretrain(recipe, tmp_path / "run", log=stop)
    assert (tmp_path / "run/checkpoints/step-5").is_dir()
    whole = pretrain(recipe, tmp_path / "whole")
    assert weights(pretrain(recipe, tmp_path / "run", resume=True)) == weights(whole)


def test_a_torn_checkpoint_is_not_loaded(recipe: Recipe, tmp_path: Path) -> None:
    whole = pretrain(recipe, tmp_path / "whole")
    pretrain(recipe, tmp_path / "run", steps=5)
    newest = tmp_path / "run/checkpoints/step-5/state.safetensors"
    newest.write_bytes(newest.read_bytes()[:-7])
    assert weights(pretrain(recipe, tmp_path / "run", resume=True)) == weights(whole)


def test_a_folder_with_a_run_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    pretrain(recipe, tmp_path / "run", steps=1)
    with pytest.raises(RunError, match="already contains a run"):
        pretrain(recipe, tmp_path / "run")
    with pytest.raises(RunError, match="run of another recipe"):
        pretrain(replace(recipe, seed=1), tmp_path / "run", resume=True)


def test_the_model_folder_loads_with_its_card(recipe: Recipe, tmp_path: Path) -> None:
    model = genolm.load(pretrain(recipe, tmp_path / "run"))
    assert (model.card.name, model.card.context, model.config) == ("toy", 64, recipe.model)
    assert model.card.metrics["training_tokens"] == 8 * 4 * 64
    assert 1.5 < model.card.metrics["test_bits_per_base"] < 3


def test_expert_load_and_losses_are_logged(expert_recipe: Recipe, tmp_path: Path) -> None:
    reports: list[dict[str, object]] = []
    pretrain(expert_recipe, tmp_path / "run", log=reports.append)
    report = next(report for report in reports if "expert_load" in report)
    assert len(report["expert_load"]) == 2  # type: ignore[arg-type]
    assert all(sum(loads) == pytest.approx(1, abs=1e-3) for loads in report["expert_load"])  # type: ignore[attr-defined]
    assert report["load_balancing"] >= 1.9  # type: ignore[operator]


def test_muon_takes_the_matrices_of_layers_and_nothing_else(recipe: Recipe) -> None:
    network = initialise(Decoder(recipe.model), 0)
    both = build_optimizer(network, replace(recipe.optimizer, name="muon", muon_learning_rate=0.3))
    adam, muon = both.parts
    names = {id(weight): name for name, weight in network.named_parameters()}
    taken = {names[id(weight)] for group in muon.param_groups for weight in group["params"]}
    assert taken == {name for name, w in network.named_parameters() if name.startswith("layers.") and w.ndim == 2}
    assert {group["peak"] for group in muon.param_groups} == {0.3}
    assert len(taken) + sum(len(group["params"]) for group in adam.param_groups) == len(names)


def test_the_kmer_table_has_its_own_rate_and_no_decay(recipe: Recipe) -> None:
    network = initialise(Decoder(recipe.model), 0)
    plan = replace(recipe.optimizer, learning_rate=0.5, kmer_rate_factor=2.0)
    groups = build_optimizer(network, plan).param_groups
    table = [group for group in groups if any(value is network.kmer.tables[0].weight for value in group["params"])]  # type: ignore[union-attr]
    assert [(group["peak"], group["weight_decay"]) for group in table] == [(1.0, 0.0)]
    assert sum(len(group["params"]) for group in groups) == len(list(network.parameters()))


@pytest.mark.slow
def test_a_compiled_run_resumes_to_the_bit(recipe: Recipe, tmp_path: Path) -> None:
    recipe = replace(recipe, compile=True, steps=4)
    whole = pretrain(recipe, tmp_path / "whole")
    pretrain(recipe, tmp_path / "parts", steps=2)
    assert weights(pretrain(recipe, tmp_path / "parts", resume=True)) == weights(whole)
    pretrain(replace(recipe, compile=False), tmp_path / "plain")
    assert losses(tmp_path / "whole") == pytest.approx(losses(tmp_path / "plain"), abs=5e-3)


def test_two_runs_never_work_in_one_folder(recipe: Recipe, tmp_path: Path) -> None:
    said: list[str] = []

    def meanwhile(report: dict[str, object]) -> None:
        if report["step"] == 4 and not said:
            with pytest.raises(RunError) as refusal:
                pretrain(recipe, tmp_path / "run", resume=True)
            said.append(str(refusal.value))

    pretrain(recipe, tmp_path / "run", log=meanwhile)
    assert "another run is using this folder" in said[0]
    pretrain(recipe, tmp_path / "run", resume=True)  # it is free again


def test_a_run_does_not_go_on_with_other_sequence(recipe: Recipe, tmp_path: Path) -> None:
    pretrain(recipe, tmp_path / "run", steps=2)
    fasta = Path(recipe.corpus.fasta[0])
    text = fasta.read_text()
    fasta.write_text(text.replace("ACG", "ACC", 1))
    with pytest.raises(RunError, match="training data or the weights of the start have changed"):
        pretrain(recipe, tmp_path / "run", resume=True)
    fasta.write_text(text)
    pretrain(recipe, tmp_path / "run", resume=True)
