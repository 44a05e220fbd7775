"""Commands corpus build and corpus inspect."""

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from genolm.cli.main import app

FACTS = {
    "folder": "built",
    "groups": [
        {"split": "train", "source": "human", "assembly": "hg38", "documents": 3, "bases": 12_000, "longest": 9000,
         "gc": 0.4321, "soft_masked": 0.5},
        {"split": "test", "source": "human", "assembly": "hg38", "documents": 1, "bases": 10, "longest": 10,
         "gc": None, "soft_masked": 0.0},
    ],
    "dropped": [{"rule": "leak", "bases": 1000, "contigs": 2, "why": "repeats held-out sequence"}],
    "read": {"bases": 13_010, "contigs": 5}, "held_out": {"test": ["chr22"]}, "skip": [], "strand": "random",
    "weights": {"human": 1.5}, "inputs": [], "shards": 2, "bytes": 12_010, "intact": True,
}  # fmt: skip


def test_build_passes_its_arguments(record) -> None:
    calls = record("genolm.training.corpus.build_corpus", "build_corpus", Path("built"))
    record("genolm.training.corpus.inspect_corpus", "summarise_build", "9 bases: 8 train, 1 left out")
    done = CliRunner().invoke(app, ["corpus", "build", "nano", "built", "--overwrite"])
    assert calls == [(("nano", Path("built")), {"overwrite": True, "progress": None})]
    assert done.stderr == "9 bases: 8 train, 1 left out\nwrote built\n" and done.stdout == ""


def test_a_terminal_sees_how_far_it_is(record, monkeypatch: pytest.MonkeyPatch) -> None:
    def builds(recipe, folder, *, progress, **settings):
        progress("training: hg38 chr1")

    record("genolm.training.corpus.build_corpus", "build_corpus")
    record("genolm.training.corpus.inspect_corpus", "summarise_build", "9 bases")
    monkeypatch.setattr(sys.modules["genolm.training.corpus.build_corpus"], "build_corpus", builds)
    monkeypatch.setattr("genolm.cli.commands.corpus._in_terminal", lambda: True)
    done = CliRunner().invoke(app, ["corpus", "build", "nano", "built"])
    assert done.stderr == "\rtraining: hg38 chr1\r9 bases\nwrote built\n"  # where codes of terminals are left out


def test_inspect_prints_tables_or_json(record) -> None:
    record("genolm.training.corpus.inspect_corpus", "inspect_corpus", FACTS)
    assert json.loads(CliRunner().invoke(app, ["corpus", "inspect", "built", "--json"]).stdout) == FACTS
    lines = CliRunner().invoke(app, ["corpus", "inspect", "built"]).stdout.splitlines()
    assert [" ".join(line.split()) for line in lines] == [
        "read 13,010 bases in 5 contigs",
        "shards 2, 0.0 MB, all checksums correct",
        "held out test: chr22",
        "skipped -",
        "strand random",
        "weights human 1.5",
        "",
        "split source assembly documents bases longest G + C lower case",
        "train human hg38 3 12,000 9,000 43.2 % 50.0 %",
        "test human hg38 1 10 10 - 0.0 %",
        "",
        "Excluded:",
        "bases contigs why",
        "1,000 2 repeats held-out sequence",
    ]


def test_an_interrupted_build_says_so(record) -> None:
    record("genolm.training.corpus.build_corpus", "build_corpus", KeyboardInterrupt())
    done = CliRunner().invoke(app, ["corpus", "build", "nano", "built"])
    assert done.exit_code == 130 and done.stderr == "interrupted\n"
