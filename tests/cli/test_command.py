"""Commands built from definitions: positional parameters that an option replaces, several inputs before the output."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from genolm.cli.command import add_command
from genolm.cli.presentation import Invocation, Presented
from genolm.parameters import Parameter, Verb

SCAN = Verb(
    "scan",
    "Scan.",
    "",
    "genolm scan model genome.fa prefix",
    (
        Parameter("model", "Model.", positional=True, shown="MODEL", replaced_by="from_"),
        Parameter("genome", "Genome.", positional=True, shown="GENOME", replaced_by="from_"),
        Parameter("out", "Prefix.", "path", positional=True, required=True, shown="PREFIX"),
        Parameter("from_", "Parts, instead of `model` and `genome`.", "path", shown="PARTS"),
        Parameter("fdr", "Rate.", "number", low=0, high=1, default=0.05, shown="RATE"),
    ),
)
CLUSTER = Verb(
    "cluster",
    "Cluster.",
    "",
    "genolm cluster a.fa b.fa folder",
    (
        Parameter("genomes", "Genomes.", "path", several=True, positional=True, required=True, shown="GENOMES"),
        Parameter("out", "Folder.", "path", positional=True, required=True, shown="FOLDER"),
        Parameter("length", "Length.", "integer", low=1, several=True, default=5000, shown="BASES"),
    ),
)


def run(verb: Verb, *words: str):
    """Run a command; return its result and the values that it passed."""
    calls: list[Invocation] = []
    app = typer.Typer(rich_markup_mode=None)
    app.callback()(lambda: None)
    add_command(app, verb, Presented(calls.append))
    done = CliRunner().invoke(app, [verb.name, *words])
    return done, dict(calls[0].values) if calls else None


def test_an_option_replaces_positional_parameters():
    done, values = run(SCAN, "--from", "parts", "s", "--fdr", "0.01")
    assert done.exit_code == 0, done.output
    assert values == {"model": None, "genome": None, "out": Path("s"), "from_": Path("parts"), "fdr": 0.01}
    del values["fdr"]  # what is not on the command line is left to the function
    assert run(SCAN, "s", "--from=parts")[1] == values


def test_without_the_option_they_are_positional():
    assert run(SCAN, "m", "g.fa", "s")[1] == {
        "model": "m", "genome": "g.fa", "out": Path("s"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["m", "g.fa", "s", "--from", "parts"], "--from is given instead of MODEL and GENOME"),
        (["--from", "parts"], "Missing argument 'PREFIX'"),
        (["m", "s"], "Missing argument 'PREFIX'"),
        (["m", "g.fa", "s", "t"], "unexpected extra argument(s) (t)"),
        (["m", "g.fa", "s", "--fdr", "2"], "must be between 0 and 1, not 2.0"),
    ],
)
def test_another_number_of_words_is_a_usage_error(words, message):
    done, values = run(SCAN, *words)
    assert done.exit_code == 2 and message in done.output and values is None


def test_the_help_names_all_parameters_and_spells_options():
    text = run(SCAN, "--help")[0].output
    assert "MODEL" in text and "PREFIX" in text and "Parts, instead of MODEL and GENOME." in text


def test_the_last_of_several_words_is_the_output():
    assert run(CLUSTER, "a.fa", "b.fa", "out")[1] == {
        "genomes": [Path("a.fa"), Path("b.fa")], "out": Path("out"),
    }  # fmt: skip
    assert run(CLUSTER, "a.fa", "out", "--length", "7", "--length", "8")[1] == {
        "genomes": Path("a.fa"), "out": Path("out"), "length": [7, 8],
    }  # fmt: skip
    assert "Missing argument 'GENOMES'" in run(CLUSTER, "out")[0].output
