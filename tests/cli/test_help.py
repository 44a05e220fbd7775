"""Help of commands: the example, lists and usage lines."""

import os
import re
import shlex
import subprocess
import sys

import pytest
from tests.cli.all_commands import COMMANDS
from typer.testing import CliRunner

from genolm.cli.main import app
from genolm.verbs import table

EXAMPLES = {name: verb.example for name, verb in table().items()}


def test_every_command_has_an_example_and_every_example_a_command():
    assert len(COMMANDS) > 28
    assert set(EXAMPLES) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_ends_with_an_example_on_one_line(name):
    text = CliRunner().invoke(app, [*name.split(), "--help"], env={"COLUMNS": "80"}).output
    assert text.endswith(f"\n  Example:\n    {EXAMPLES[name]}\n")
    assert len(EXAMPLES[name]) < 100


@pytest.mark.parametrize("name", COMMANDS)
def test_the_example_is_a_call_of_its_command(name):
    program, *words = shlex.split(EXAMPLES[name])
    assert program == "genolm" and words[: len(name.split())] == name.split()
    COMMANDS[name].make_context(name, words[len(name.split()) :])  # raises where an argument or option does not fit


@pytest.mark.parametrize("group", ["", "detect", "explain", "tokenizer", "corpus", "dataset"])
def test_no_line_of_a_list_of_commands_is_cut_short(group):
    environment = {**os.environ, "COLUMNS": "80"}
    command = [sys.executable, "-m", "genolm", *group.split(), "--help"]
    lines = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.splitlines()
    assert len(lines) > 8 and not [line for line in lines if line.endswith("...") and not line.startswith("Usage")]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_usage_line_has_no_doubled_brackets(name):
    text = CliRunner().invoke(app, [*name.split(), "--help"]).output
    assert not re.search(r"\[\[|\]\]|\.\.\.\W*\.\.\.", text.partition("\n\n")[0])
