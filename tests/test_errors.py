"""Errors: text in Python and JSON, pickling, and the codes and remedies of all messages in the package."""

import ast
import copy
import json
import pickle
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
from tests.cli.all_commands import COMMANDS

import genolm
from genolm.cli.text import as_option
from genolm.engine.interrupt import CancelledError
from genolm.errors import (
    Code,
    GenolmError,
    InputError,
    ModelError,
    NetworkError,
    NonFiniteError,
    ResourceError,
    RunError,
)
from genolm.genome.annotation.coding_sequences import _UnusableError
from genolm.genome.sequence import LetterError, upper_dna
from genolm.models.checkpoints.http_files import RefusedError
from genolm.remedies import Notice, Remedy, with_advice

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "genolm"
PAGE = ROOT / "docs" / "api" / "errors.md"

REPLACE = Remedy("overwrite", True, "replace it")
ADVICE = ("choose another folder", REPLACE)
FLAG = re.compile(r"(?<![\w-])--[a-z]")
COMMAND = re.compile(r"genolm (?:[a-z]+ )+")

ERRORS = (
    GenolmError("nothing works", code="missing-package", remedy="install it"),
    InputError("POS is not a number", file=Path("a.vcf"), line=7, value="12x"),
    LetterError("not a base", "ACGT-", 4, remedy=Remedy("iupac", "N")),
    _UnusableError("a stop codon without CDS", value=3),
    ModelError("does not fit", code="unknown-model"),
    NonFiniteError("tiny in float16", Notice("too large", (Remedy("dtype", "float32"),)), row=2, part=1, subject="x"),
    RunError("out.tsv exists", code="output-exists", remedy=ADVICE),
    CancelledError("cancelled with 2 of 3 parts finished", remedy=Remedy("resume", True, "continue")),
    ResourceError("out of memory", code="out-of-memory"),
    NetworkError("no answer"),
    RefusedError("gated", 401),
)


@cache
def modules() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text("utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}


def test_the_list_has_every_class_of_errors():
    defined = {
        node.name: {base.id for base in node.bases if isinstance(base, ast.Name)}
        for tree in modules().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    known, more = set(), {"GenolmError"}
    while more:
        known |= more
        more = {name for name, bases in defined.items() if bases & known} - known
    assert {type(error).__name__ for error in ERRORS} == known


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("copied", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy], ids=["pickle", "copy"])
def test_an_error_survives_a_copy(error, copied):
    other = copied(error)
    assert type(other) is type(error) and other is not error
    assert str(other) == str(error) and other.args == error.args
    assert other.__dict__ == error.__dict__
    assert other.to_json() == error.to_json() and other.exit_code == error.exit_code


def _fail(sequence: str) -> None:
    upper_dna(sequence)


def test_an_error_crosses_a_process():
    with ProcessPoolExecutor(1) as pool, pytest.raises(LetterError) as caught:
        pool.submit(_fail, "ACRT").result()
    assert (caught.value.code, caught.value.position) == ("ambiguous-letter", 2)
    assert str(caught.value).endswith("(value 'R'); pass iupac='N' to read it as N")


def test_a_value_that_cannot_be_pickled_is_replaced_by_its_short_form():
    error = InputError("not a sequence", value=threading.Lock())
    other = pickle.loads(pickle.dumps(error))
    assert str(other) == str(error) and other.to_json() == error.to_json()


def test_the_text_has_location_problem_value_and_remedy():
    error = InputError("not a base", file="a.fa", line=2, value="R", remedy=Remedy("iupac", "N", "read it as N"))
    assert str(error) == "a.fa:2: not a base (value 'R'); pass iupac='N' to read it as N"
    assert error.written(as_option) == "a.fa:2: not a base (value 'R'); pass --iupac N to read it as N"
    assert str(InputError("empty", file="-")) == "standard input: empty"


@pytest.mark.parametrize(
    ("remedy", "python", "line"),
    [
        (REPLACE, "pass overwrite=True to replace it", "pass --overwrite to replace it"),
        (Remedy("rc", False), "pass rc=False", "pass --no-rc"),
        (Remedy("genome"), "pass genome=…", "pass --genome"),
        (Remedy("on_mismatch", "skip"), "pass on_mismatch='skip'", "pass --on-mismatch skip"),
        (Remedy("from_", "megatron"), "pass from_='megatron'", "pass --from megatron"),
        (Remedy("horizon", 9), "pass horizon=9", "pass --horizon 9"),
    ],
)
def test_each_interface_has_its_form_of_an_argument(remedy, python, line):
    assert str(RunError("no", remedy=remedy)) == f"no; {python}"
    assert RunError("no", remedy=remedy).written(as_option) == f"no; {line}"


def test_alternatives_are_joined():
    assert with_advice("a", ("b",), as_option) == "a; b"
    assert with_advice("a", ("b", "c"), as_option) == "a; b, or c"
    assert with_advice("a", ("b", "c", REPLACE), as_option) == "a; b, c, or pass --overwrite to replace it"
    assert with_advice("a", (), as_option) == "a"
    both = (Remedy("resume", True, "continue"), REPLACE)
    assert with_advice("a", both, as_option) == "a; pass --resume to continue, or --overwrite to replace it"


def test_json_has_all_fields():
    error = RunError("out exists", code="output-exists", remedy=ADVICE)
    assert json.loads(json.dumps(error.to_json())) == {
        "code": "output-exists",
        "message": "out exists",
        "file": None,
        "line": None,
        "value": None,
        "remedy": [
            {"text": "choose another folder"},
            {"option": "overwrite", "value": True, "purpose": "replace it"},
        ],
    }
    values = [
        InputError("x", file=Path("f"), value=value).to_json()["value"] for value in (3, 0.5, "a", b"a", "a" * 99)
    ]
    assert values == [3, 0.5, "a", "b'a'", f"'{'a' * 58}…"]


def test_a_located_error_keeps_type_code_and_remedy():
    error = ERRORS[2].at(file="a.fa", line=3)
    assert (type(error), error.code, error.remedy) == (LetterError, "invalid-letter", ERRORS[2].remedy)
    assert (error.file, error.line, error.value) == ("a.fa", 3, "-")
    assert ERRORS[2].file is None
    assert error.at(file="b.fa", value="+").value == "+"


def test_an_error_of_a_verb_has_code_and_remedy(tmp_path):
    out = tmp_path / "out.parquet"
    out.write_text("mine")
    with pytest.raises(RunError) as caught:
        genolm.score("tiny-random-dense", ["ACGT"], out)
    assert caught.value.to_json()["code"] == "output-exists"
    assert caught.value.remedy == (REPLACE,)
    assert str(caught.value) == f"{out} exists; pass overwrite=True to replace it"


# The texts of the package


def strings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and text of each string that is not a docstring; fields of f-strings are empty."""
    inside = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            inside |= {id(part) for part in node.values}
            yield (
                node.lineno,
                "".join(str(part.value) if isinstance(part, ast.Constant) else "" for part in node.values),
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            yield node.lineno, node.value


def mentions(tree: ast.AST) -> list[int]:
    """Return the lines of messages that mention an option outside a complete command of genolm.

    A string that is one word is an argument of a program, such as git, and no message.
    """
    return [line for line, text in strings(tree) if " " in text and FLAG.search(text) and not COMMAND.search(text)]


def test_only_the_command_line_mentions_options():
    found = [
        f"{path.relative_to(PACKAGE)}:{line}"
        for path, tree in modules().items()
        if path.relative_to(PACKAGE).parts[0] != "cli"
        for line in mentions(tree)
    ]
    assert found == []


def test_mentions_are_found():
    text = '"""Use --a."""\nx = f"{y} exists; use --overwrite"\ny = "run genolm merge X --task"\nz = ["--quiet"]'
    assert mentions(ast.parse(text)) == [2]


def calls(name: str) -> Iterator[ast.Call]:
    for tree in modules().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.endswith(name):
                yield node


NO_OPTION = {"out", "task"}
"""Arguments that are positional on the command line, or only in Python."""


def test_each_remedy_is_an_option_of_the_command_line():
    options = {
        name for command in COMMANDS.values() for one in command.params for name in (*one.opts, *one.secondary_opts)
    }
    remedies = []
    for call in calls("Remedy"):
        values = [one.value for one in call.args if isinstance(one, ast.Constant)]
        assert len(values) == len(call.args), f"line {call.lineno}: a remedy is made of plain values"
        remedies.append(Remedy(*values))
    assert len(remedies) > 40
    assert [one for one in remedies if as_option(one).split()[0] not in options and one.option not in NO_OPTION] == []


def used_codes() -> set[str]:
    given = {
        part.value
        for tree in modules().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg == "code"
        for part in ast.walk(node.value)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    }
    return given | {type(error).default_code for error in ERRORS}


def test_every_code_is_used():
    assert used_codes() == set(get_args(Code))


def test_the_page_lists_every_code_with_its_classes_and_exit_codes():
    rows = re.findall(r"^\| `([a-z-]+)` \| ([^|]+) \| ([^|]+) \| [^|]+ \|$", PAGE.read_text("utf-8"), re.M)
    assert sorted(code for code, _, _ in rows) == sorted(get_args(Code))
    classes = {code: re.findall(r"`(\w+)`", names) for code, names, _ in rows}
    public = {name: getattr(genolm, name) for name in genolm.__all__ if name.endswith("Error")}
    for code, _, exits in rows:
        assert [str(public[name].exit_code) for name in classes[code]] == exits.split(", "), code
    for name, kind in public.items():
        assert name in classes[kind.default_code]
    raised = [
        (keyword.value.value, call.func.id)
        for call in calls("Error")
        for keyword in call.keywords
        if keyword.arg == "code" and isinstance(keyword.value, ast.Constant) and call.func.id in public
    ]
    assert len(raised) > 100
    assert [(code, name) for code, name in raised if name not in classes[code]] == []


def test_notes_survive_pickling():
    error = RunError("x")
    error.add_note("in part 3")
    assert pickle.loads(pickle.dumps(error)).__notes__ == ["in part 3"]
