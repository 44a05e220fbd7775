"""Commands simulate and pretrain."""

from pathlib import Path
from types import SimpleNamespace

from typer.testing import CliRunner

from genolm.cli.commands.training import training_reports
from genolm.cli.main import app

MADE = SimpleNamespace(genes=3, variants=40, lengths={"chr1": 600, "chr2": 400}, readme=Path("there/README.txt"))


def test_simulate_passes_its_flags(record):
    calls = record("genolm.genome.simulation.simulate", "simulate", MADE)
    flags = ["--seed", "5", "--length", "100000", "--contigs", "3", "--overwrite"]
    done = CliRunner().invoke(app, ["simulate", "there", *flags])
    assert calls == [((Path("there"),), {"seed": 5, "length": 100_000, "contigs": 3, "overwrite": True})]
    assert done.stderr.splitlines() == [
        "2 contigs, 1,000 bases; 3 genes, 40 variants",
        "wrote there",
        "see there/README.txt",
    ]


def test_pretrain_passes_the_recipe_by_name_or_path(record):
    calls = record("genolm.training.pretrain", "pretrain", Path("out/model"))
    record("genolm.training.trainer.run_folder", "describe_run", "9 steps")
    done = CliRunner().invoke(app, ["pretrain", "genolm-nano", "out", "--resume", "--steps", "9"])
    ((arguments, settings),) = calls
    assert (
        (arguments[0].name, arguments[1]) == ("genolm-nano", Path("out"))
        and settings["resume"] is True
        and settings["steps"] == 9
    )
    assert done.stderr == "9 steps\nwrote out/model\n"


def test_reports_of_a_training_are_lines_on_stderr(record, monkeypatch):
    import sys

    def trains(recipe, out, *, log, **settings):
        log({"step": 20, "bits_per_base": 1.9})
        return out

    record("genolm.training.pretrain", "pretrain")
    record("genolm.training.trainer.run_folder", "describe_run", "20 steps")
    monkeypatch.setattr(sys.modules["genolm.training.pretrain"], "pretrain", trains)
    done = CliRunner().invoke(app, ["pretrain", "genolm-nano", "out"])
    assert done.stderr.splitlines() == ["step 20  bits_per_base 1.9", "20 steps", "wrote out"]
    assert done.stdout == ""


def test_an_interrupted_training_can_be_resumed(record):
    record("genolm.training.pretrain", "pretrain", KeyboardInterrupt())
    done = CliRunner().invoke(app, ["pretrain", "genolm-nano", "out"])
    assert done.exit_code == 130 and "--resume" in done.stderr


def test_a_terminal_gets_a_bar_and_other_reports_as_lines(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with training_reports(40) as report:
        report({"step": 0, "processes": 1})
        report({"step": 20, "bits_per_base": 1.9, "tokens_per_second": 1234})
    shown = capsys.readouterr().err
    assert "processes 1" in shown
    assert "20/40" in shown and "1.9000 bits/base  1,234 bases/s" in shown


def test_only_the_first_process_says_where_the_model_is(record, monkeypatch):
    record("genolm.training.pretrain", "pretrain", Path("out/model"))
    record("genolm.training.trainer.run_folder", "describe_run", "9 steps")
    monkeypatch.setenv("RANK", "1")
    assert CliRunner().invoke(app, ["pretrain", "genolm-nano", "out"]).stderr == ""
