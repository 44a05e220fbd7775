"""The best weights by a held-out metric are released; training stops when they no longer get better."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.training.conftest import random_dna

import genolm
from genolm.errors import InputError, RunError
from genolm.training.pretrain import pretrain
from genolm.training.recipes.pretrain_recipe import Recipe
from genolm.training.trainer.selection import Selection


@pytest.fixture
def overfitted(recipe: Recipe, tmp_path: Path) -> Recipe:
    """A recipe whose held-out loss falls and rises again: random sequence, and little of it."""
    fasta = tmp_path / "little.fa"
    fasta.write_text(f">chr1\n{random_dna(300, 1)}\n>chr3\n{random_dna(500, 2)}\n")
    corpus = replace(recipe.corpus, fasta=(str(fasta),))
    cadence = {"steps": 40, "evaluate_every": 4, "evaluate_windows": 8, "checkpoint_every": 5}
    return replace(recipe, corpus=corpus, best="test_bits_per_base", **cadence)


def held_out(run: Path) -> dict[int, float]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return {line["step"]: line["held_out_bits_per_base"]["test"] for line in lines if "held_out_bits_per_base" in line}


def test_the_best_weights_are_released_and_their_checkpoint_is_kept(overfitted: Recipe, tmp_path: Path) -> None:
    model = genolm.load(pretrain(replace(overfitted, release="fp32"), tmp_path / "run"), dtype="float32")
    values = held_out(tmp_path / "run")
    best = min(values, key=lambda step: values[step])
    assert best < 40
    kept = load_file(tmp_path / f"run/checkpoints/step-{best}/state.safetensors")
    for name, weight in model.network.named_parameters():
        assert torch.equal(kept[f"weight.{name}"], weight), name
    assert model.card.precision == "float32"
    assert model.card.metrics["test_bits_per_base"] == values[best]
    assert model.card.training["steps"] == best


def test_training_stops_when_the_metric_has_not_improved(overfitted: Recipe, tmp_path: Path) -> None:
    stopping = replace(overfitted, patience=2)
    whole = pretrain(stopping, tmp_path / "whole")
    steps = max(held_out(tmp_path / "whole"))
    assert steps < 40
    pretrain(stopping, tmp_path / "parts", steps=3)
    parts = pretrain(stopping, tmp_path / "parts", resume=True)
    assert (parts / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    assert max(held_out(tmp_path / "parts")) == steps
    again = pretrain(stopping, tmp_path / "whole", resume=True)  # finished: nothing to do
    assert (parts / "model.safetensors").read_bytes() == (again / "model.safetensors").read_bytes()


def test_a_signal_at_an_evaluation_does_not_lose_the_choice(overfitted: Recipe, tmp_path: Path) -> None:
    whole = pretrain(overfitted, tmp_path / "whole")
    best = min(held_out(tmp_path / "whole"), key=held_out(tmp_path / "whole").__getitem__)

    def stop(report: dict[str, object]) -> None:
        if report["step"] == best - 1:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt, match=f"stopped after step {best}"):
        pretrain(replace(overfitted, report_every=1), tmp_path / "parts", log=stop)
    parts = pretrain(overfitted, tmp_path / "parts", resume=True)
    assert (parts / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_evaluations_that_choose_the_weights_may_not_change(overfitted: Recipe, tmp_path: Path) -> None:
    pretrain(overfitted, tmp_path / "run", steps=2)
    with pytest.raises(RunError, match="evaluate_every was 4 and is 3"):
        pretrain(replace(overfitted, evaluate_every=3), tmp_path / "run", resume=True)


def test_the_first_of_equal_values_stays_the_best() -> None:
    chosen = Selection().after(10, 0.5, True).after(20, 0.5, True).after(30, 0.4, True)
    assert chosen == Selection(10, 0.5, 2)
    assert chosen.after(40, 0.6, True) == Selection(40, 0.6)
    assert chosen.after(40, 0.4, False) == Selection(40, 0.4)
    assert chosen.after(40, None, True) == Selection(10, 0.5, 3)


def test_a_metric_that_is_not_measured_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"best must be one of the held-out metrics test_bits_per_base .*'accuracy'"):
        pretrain(replace(recipe, best="accuracy"), tmp_path / "run")
    with pytest.raises(InputError, match="patience requires best"):
        replace(recipe, patience=2)
