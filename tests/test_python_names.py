"""The quick start on Python: every command has a function, and the page lists the arguments with other names."""

import inspect
import re
from pathlib import Path

import pytest
from tests.cli.all_commands import COMMANDS

import genolm

PAGE = Path(__file__).parents[1] / "docs" / "quickstart.md"
_QUOTED = re.compile(r"`([^`]+)`")


def exceptions() -> dict[str, tuple[set[str], set[str]]]:
    """Return names that differ between command line and Python, per command, and under ``""`` those of all commands."""
    table = PAGE.read_text("utf-8").partition("| command line | Python |\n|---|---|\n")[2].partition("\n\n")[0]
    found: dict[str, tuple[set[str], set[str]]] = {}
    for row in table.splitlines():
        left, right = (cell.strip() for cell in row.strip("|").split("|"))
        verbs, colon, options = left.partition(":")
        names = {plain(word) for quoted in _QUOTED.findall(options if colon else left) for word in quoted.split()}
        python = {word.partition("=")[0].removesuffix("()") for word in _QUOTED.findall(right)}
        for verb in _QUOTED.findall(verbs) if colon else [""]:
            old = found.get(verb, (set(), set()))
            found[verb] = (old[0] | names, old[1] | python)
    return found


def plain(option: str) -> str:
    return option.lstrip("-").replace("-", "_").strip("[].").lower()


def function(name: str):
    found = genolm
    for word in name.split():
        found = getattr(found, word)
    return found


def arguments(name: str) -> set[str]:
    return set(inspect.signature(function(name)).parameters)


def spellings(parameter) -> set[str]:
    """Return the names of a parameter on the command line: its long options, or the words of the usage line."""
    if parameter.param_type_name == "argument":
        return {parameter.name, *map(plain, (parameter.metavar or "").split())}
    return {plain(option) for option in parameter.opts if option.startswith("--")}


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "models"])
def test_every_command_is_a_function_with_arguments_of_the_same_names_but_for_the_page(name):
    renamed, names = exceptions().get(name, (set(), set()))
    everywhere = exceptions()[""][0]
    for parameter in COMMANDS[name].params:
        words = spellings(parameter)
        assert words & (arguments(name) | renamed | everywhere), (name, words)
    assert names <= arguments(name)


def test_the_page_lists_no_argument_that_has_the_same_name():
    for name, (renamed, _) in exceptions().items():
        if name:
            assert not renamed & arguments(name), name
            assert renamed <= set().union(*map(spellings, COMMANDS[name].params)), name
    assert exceptions()[""][0] == {"batch_tokens", "quiet", "json", "models"}
    assert not callable(genolm.models) and genolm.models_table()


def test_groups_hold_the_functions_of_their_verbs():
    assert genolm.detect.train is genolm.train_detector
    assert genolm.explain.lens is genolm.explain_lens
    assert genolm.check is genolm.check_generated and genolm.info is genolm.describe


def test_doctor_and_cite_return_values():
    assert {finding.status for finding in genolm.doctor()} <= {"ok", "note"}
    assert genolm.cite("genos-1.2b").startswith("@software{genolm")
