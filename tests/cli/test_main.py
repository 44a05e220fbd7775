"""The ``genolm`` command: fast help, usage errors, the list of commands."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from genolm.cli.main import app

_LIST = (
    "embed score variants mutate generate complete scan report detect check cluster explain merge models info download "
    "convert simulate tokenizer corpus dataset pretrain finetune doctor demo cite"
)
VERBS = _LIST.split()
HEAVY = {"torch", "numpy", "polars", "pysam", "transformers", "matplotlib", "huggingface_hub", "rich"}

_SPY = """
import json, sys
from genolm.cli.main import main
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["genolm", *arguments]
    try:
        main()
    except SystemExit as end:
        assert end.code == 0, (arguments, end.code)
print("MODULES", json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def test_help_of_every_verb_imports_nothing_heavy():
    requests = [
        ["--help"],
        ["-h"],
        ["--version"],
        ["cite"],
        *([verb, "-h"] for verb in VERBS),
        ["corpus", "build", "-h"],
    ]
    text = subprocess.check_output([sys.executable, "-c", _SPY, json.dumps(requests)], text=True)
    loaded = set(json.loads(text.rpartition("MODULES")[2]))
    assert not loaded & HEAVY
    assert "typer" in loaded  # the spy sees modules at all


def test_help_lists_the_verbs_in_the_order_of_their_use():
    lines = CliRunner().invoke(app, ["--help"]).output.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in lines if line.startswith("  ")][: len(VERBS)] == VERBS


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_says_in_one_line_what_it_does(verb):
    listing = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "80"}).output
    line = next(line for line in listing.splitlines() if line.startswith(f"  {verb} "))
    assert len(line.split()) > 3 and not line.endswith("...")


@pytest.mark.parametrize("arguments", [["frobnicate"], ["embed"], ["embed", "m", "i", "o", "--layers", "3"], []])
def test_wrong_usage_exits_2(arguments):
    assert CliRunner().invoke(app, arguments).exit_code == 2


def test_version_is_that_of_the_package():
    from importlib.metadata import version

    assert CliRunner().invoke(app, ["--version"]).output == f"genolm {version('genolm')}\n"


def test_errors_reach_the_shell_as_plain_text_and_exit_code():
    done = subprocess.run([sys.executable, "-m", "genolm", "cite", "nothing"], capture_output=True, text=True)
    assert done.returncode == 4
    assert done.stderr.startswith("error: no known paper for 'nothing'") and done.stdout == ""
