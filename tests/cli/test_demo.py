"""The demo: which verbs run on what, and where it says to look."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from genolm.cli.demo import MODEL, NEXT
from genolm.cli.main import app

MADE = SimpleNamespace(fasta=Path("d/genome.fa"), vcf=Path("d/variants.vcf.gz"), bed=Path("d/regions.bed"))


@pytest.fixture
def stages(record):
    return {
        "simulate": record("genolm.genome.simulate", "simulate", MADE),
        "variants": record("genolm.tasks.variants", "variants"),
        "embed": record("genolm.tasks.embed", "embed"),
        "score": record("genolm.tasks.likelihood", "score"),
        "report": record("genolm.tasks.report", "report"),
    }


def test_each_stage_runs_once_on_the_simulated_genome(stages):
    assert CliRunner().invoke(app, ["demo", "d"]).exit_code == 0
    assert all(len(calls) == 1 for calls in stages.values())
    for verb, inputs in (("variants", MADE.vcf), ("embed", MADE.bed), ("score", MADE.bed)):
        (arguments, settings), *_ = stages[verb]
        assert arguments[:2] == (MODEL, inputs)
        assert settings["genome"] == MADE.fasta and settings["overwrite"] is True


def test_it_ends_with_where_to_look_and_what_to_try(stages):
    done = CliRunner().invoke(app, ["demo", "d"])
    assert "Look:  d/report.html" in done.stdout and "d/variants.scored.vcf.gz" in done.stdout
    assert [line[:3] for line in done.stderr.splitlines()] == ["1/5", "2/5", "3/5", "4/5", "5/5"]


def test_the_commands_it_suggests_are_well_formed(record):
    suggested = [line.split("#")[0].split()[1:] for line in NEXT.splitlines() if line.startswith("  genolm ")]
    called = [
        record("genolm.tasks.variants", "variants"),
        record("genolm.tasks.embed", "embed"),
        record("genolm.tasks.likelihood", "score"),
    ]
    for arguments in suggested:
        assert CliRunner().invoke(app, [part.format(model=MODEL) for part in arguments]).exit_code == 0
    assert len(suggested) == 4 and all(called)
