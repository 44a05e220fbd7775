"""Completion in the shell: verbs, options, names of models, and nothing heavy on the way."""

import os
import subprocess
import sys

import pytest
from tests.cli.all_commands import COMMANDS

SPY = """
import sys
from genolm.cli.main import main
sys.argv = ["genolm"]
try:
    main()
finally:
    print("torch" in sys.modules, file=sys.stderr)
"""


def complete(line: str) -> list[str]:
    """What bash offers for the last word of a line, which may be empty."""
    words = line.split(" ")
    variables = {"_GENOLM_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run(
        [sys.executable, "-c", SPY],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
    )
    assert done.stderr == "False\n"  # torch was not imported
    return done.stdout.split()


def test_the_shell_completes_verbs_options_and_models():
    assert complete("genolm emb") == ["embed"]
    assert complete("genolm detect ") == ["train", "apply"]
    assert complete("genolm embed --poo") == ["--pooling"]
    assert complete("genolm embed genos-10") == ["genos-10b", "genos-10b-v2"]
    assert complete("genolm scan genolm-nano genome.fa --minus genolm") == ["genolm-nano"]
    assert complete("genolm embed genolm-nano ") == []  # then the shell offers files


def test_every_model_argument_completes_names_of_models():
    found = [
        (name, parameter.name)
        for name, command in COMMANDS.items()
        for parameter in command.params
        if parameter.name in ("model", "minus", "like")
    ]
    assert len(found) > 15
    for name, wanted in found:
        command = COMMANDS[name]
        parameter = next(one for one in command.params if one.name == wanted)
        offered = parameter.shell_complete(command.make_context(name, [], resilient_parsing=True), "genolm-")
        assert [item.value for item in offered] == ["genolm-nano"], (name, wanted)


@pytest.mark.parametrize(("shell", "words"), [("bash", "complete -o default"), ("zsh", "#compdef genolm")])
def test_show_completion_prints_a_script(shell, words):
    variables = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    command = [
        sys.executable,
        "-c",
        "from genolm.cli.main import app; app(prog_name='genolm')",
        "--show-completion",
        shell,
    ]
    text = subprocess.run(command, env=variables, check=True, capture_output=True, text=True).stdout
    assert words in text and "_GENOLM_COMPLETE" in text
