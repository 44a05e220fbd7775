"""Shells of simulate and pretrain."""

from pathlib import Path

from typer.testing import CliRunner

from genolm.cli.main import app


def test_simulate_passes_the_seed(record):
    calls = record("genolm.genome.simulate", "simulate")
    assert CliRunner().invoke(app, ["simulate", "there", "--seed", "5"]).exit_code == 0
    assert calls == [((Path("there"),), {"seed": 5})]


def test_pretrain_passes_the_recipe_by_name_or_path(record):
    calls = record("genolm.training.pretrain", "pretrain")
    assert CliRunner().invoke(app, ["pretrain", "nano", "out", "--resume"]).exit_code == 0
    assert calls == [(("nano", Path("out")), {"resume": True})]


def test_an_interrupted_training_can_be_resumed(record):
    record("genolm.training.pretrain", "pretrain", KeyboardInterrupt())
    done = CliRunner().invoke(app, ["pretrain", "nano", "out"])
    assert done.exit_code == 130 and "--resume" in done.stderr
