"""One definition per verb: table, command line, documentation and signatures are those of the definitions."""

import inspect
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import pytest
import typer

import genolm
from genolm.cli import derive
from genolm.cli.commands import PRESENTED
from genolm.cli.help import with_option_names
from genolm.cli.main import app
from genolm.parameters import Parameter, Verb
from genolm.verb_signatures import define, described
from genolm.verbs import TABLE, VERBS, definition_of, function_of, table

FOLDER = Path(genolm.__file__).parent
DEFINED = derive.definitions()


def commands(command: Any = None, path: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return all commands by the words that call them."""
    command = command or typer.main.get_command(app)
    found: dict[str, Any] = {}
    for name, below in command.commands.items():
        found |= commands(below, (*path, name)) if hasattr(below, "commands") else {" ".join((*path, name)): below}
    return found


def public(verb: Verb) -> Any:
    """Return the function of a verb by its name in Python."""
    found: Any = genolm
    for word in verb.python_name.split("."):
        found = getattr(found, word)
    return found


def differences(text: str, pages: dict[Path, str], functions: dict[str, Any], built: dict[str, Any]) -> list[str]:
    """Return what differs from the definitions in a table, pages, functions and commands."""
    found = [f"table: {name}" for name in VERBS if json_of(text).get(name) != DEFINED[name]]
    found += [f"page: {path.stem}" for path, page in pages.items() if derive.page_text(page, DEFINED) != page]
    for name, verb in DEFINED.items():
        found += [f"signature: {name}"] if signature_of(functions[name]) != described_signature(verb) else []
        found += [f"command: {name} {problem}" for problem in problems(built[name], verb)]
    return found + [f"command: {name}" for name in built.keys() ^ DEFINED.keys()]


def json_of(text: str) -> dict[str, Verb]:
    return {values["name"]: Verb.from_json(values) for values in json.loads(text)}


def signature_of(function: Any) -> list[tuple[str, bool, Any]]:
    """Return name, whether positional, and default of each parameter that the command line has too."""
    listed = {one.name for one in definition_of(function).parameters}
    found = inspect.signature(function).parameters.values()
    return [(one.name, one.kind is not one.KEYWORD_ONLY, plain(one.default)) for one in found if one.name in listed]


def described_signature(verb: Verb) -> list[tuple[str, bool, Any]]:
    required = [one.required and not (one.name == "out" and in_memory(verb)) for one in verb.parameters]
    return [
        (one.name, one.positional, "required" if needed else one.default)
        for one, needed in zip(verb.parameters, required, strict=True)
    ]


def in_memory(verb: Verb) -> bool:
    return "None" in str(inspect.signature(public(verb)).parameters["out"].annotation)


def plain(default: object) -> object:
    return "required" if default is inspect.Parameter.empty else None if default == () else default


def problems(command: Any, verb: Verb) -> list[str]:
    """Return what differs between a command and a definition."""
    switches = [one.name for one in PRESENTED[verb.name].options]
    given = [one for one in command.params if one.name not in (*switches, "help")]
    if [one.name for one in given] != [one.name for one in verb.parameters]:
        return ["parameters"]
    read = command.make_context(verb.name, words(verb)).params
    return [
        one.name
        for one, wanted in zip(given, verb.parameters, strict=True)
        if not same(one, wanted, verb)
        or read[one.name] != (None if one.name in replacing(verb) else value_of(wanted))
        or not chosen(command, wanted, verb)
    ]


def chosen(command: Any, wanted: Parameter, verb: Verb) -> bool:
    """Return whether a parameter takes its choices and nothing else."""
    if not wanted.choices:
        return True
    taken = [choice for choice in (*wanted.choices, "absent") if takes(command, verb, wanted, choice)]
    return taken == list(wanted.choices)


def takes(command: Any, verb: Verb, wanted: Parameter, value: str) -> bool:
    given = words(verb)
    if wanted.positional:
        given[[one.name for one in verb.parameters if one.positional].index(wanted.name)] = value
    else:
        given += [wanted.option, value]
    try:
        command.make_context(verb.name, given)
    except typer.BadParameter:
        return False
    return True


def same(parameter: Any, wanted: Parameter, verb: Verb) -> bool:
    argument = parameter.param_type_name == "argument"
    names = [] if argument else [wanted.option, *([wanted.short] if wanted.short else [])]
    default = [wanted.default] if wanted.several and wanted.default is not None else wanted.default
    facts = (
        argument == wanted.positional,
        argument or parameter.opts == names,
        argument or bool(parameter.secondary_opts) == wanted.switchable,
        parameter.required == wanted.required,
        (parameter.nargs == -1 or bool(getattr(parameter, "multiple", False))) == wanted.several,
        parameter.default == default,
        parameter.help == with_option_names(wanted.help, verb),
        (parameter.metavar or "") == wanted.shown,
        all(refused(parameter, value) for value in beyond(wanted)),
        not any(refused(parameter, value) for value in (wanted.low, wanted.high) if value is not None),
    )
    return all(facts)


def words(verb: Verb) -> list[str]:
    """Return a call with a value of each parameter, except options that replace positional parameters."""
    found = [str(sample(one)) for one in verb.parameters if one.positional]
    for one in verb.parameters:
        if not one.positional and one.name not in replacing(verb):
            found += [one.option] if one.kind == "flag" else [one.option, str(sample(one))]
    return found


def replacing(verb: Verb) -> set[str]:
    """Return the options that are given instead of positional parameters."""
    return {one.replaced_by for one in verb.parameters}


def sample(wanted: Parameter) -> Any:
    if wanted.choices and wanted.kind != "integer":
        return wanted.choices[-1]
    numbers = {"integer": int(wanted.low or 3), "number": float(wanted.low or 0.5), "path": Path("x"), "flag": True}
    return numbers.get(wanted.kind, "x")


def value_of(wanted: Parameter) -> Any:
    """Return what the command line reads from `words`."""
    value = sample(wanted)
    return [value] if wanted.several else value


def beyond(wanted: Parameter) -> list[float]:
    below = [] if wanted.low is None else [wanted.low - 1]
    return below + ([] if wanted.high is None else [wanted.high + 1])


def refused(parameter: Any, value: float) -> bool:
    try:
        parameter.callback(None, parameter, [value] if getattr(parameter, "multiple", False) else value)
    except typer.BadParameter:
        return True
    return False


@pytest.fixture(scope="module")
def state() -> dict[str, Any]:
    return {
        "text": (FOLDER / TABLE).read_text("utf-8"),
        "pages": {path: path.read_text("utf-8") for path in derive.pages()},
        "functions": {name: public(verb) for name, verb in DEFINED.items()},
        "built": commands(),
    }


def test_table_command_line_documentation_and_signatures_are_those_of_the_definitions(state):
    assert set(DEFINED) == set(VERBS) == set(PRESENTED) and len(state["pages"]) > 20
    assert differences(**state) == []
    assert state["text"] == derive.table_text(DEFINED.values())


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ('"low": 1,', '"low": 2,', "table: embed"),
        ('"default": "mean"', '"default": "max"', "table: embed"),
        ('"name": "pooling"', '"name": "pool"', "table: embed"),
    ],
)
def test_a_table_edited_by_hand_is_found(state, old, new, found):
    edited = state["text"].replace(old, new, 1)
    assert found in differences(**state | {"text": edited})
    verb = json_of(edited)["embed"]
    assert problems(state["built"]["embed"], verb), "and commands built from it would differ"


def test_a_page_edited_by_hand_is_found(state):
    path = next(path for path in state["pages"] if path.stem == "scan")
    edited = state["pages"][path].replace("(default: 0.05)", "(default: 0.01)")
    assert differences(**state | {"pages": state["pages"] | {path: edited}}) == ["page: scan"]


def test_a_signature_edited_by_hand_is_found(state):
    original = inspect.unwrap(genolm.score)

    def score(model, inputs, out=None, *, normalize=None, passes: Annotated[int | None, "edited"] = None):
        """Score."""

    score.__verb__ = replace(DEFINED["score"])  # type: ignore[attr-defined]
    edited = state["functions"] | {"score": score}
    assert differences(**state | {"functions": edited}) == ["signature: score"]
    with pytest.raises(TypeError, match="parameters and their descriptions differ"):
        score.__doc__, score.__module__ = original.__doc__, original.__module__
        define("score", score, "genolm score")


def test_a_command_edited_by_hand_is_found(state):
    command = commands()["scan"]
    next(one for one in command.params if one.name == "fdr").default = 0.5
    command.params = [one for one in command.params if one.name != "twin"]
    assert differences(**state | {"built": state["built"] | {"scan": command}}) == ["command: scan parameters"]


@pytest.mark.parametrize("name", VERBS)
def test_one_text_serves_python_and_the_command_line(name):
    for parameter in DEFINED[name].parameters:
        assert parameter.help[0].isupper() or parameter.help.startswith(("bigWig", "z-score", "full")), parameter.name
        assert not re.search(r":\w+:`|None|--|``", parameter.help), parameter.name


@pytest.mark.parametrize("name", VERBS)
def test_help_lists_the_options_of_runs_in_python_too(name):
    function = function_of(name)
    texts = described(inspect.getdoc(function) or "", "Args")
    assert (
        {one.name for one in DEFINED[name].parameters} <= texts.keys() == inspect.signature(function).parameters.keys()
    )
    assert all(text == texts[one.name] for one in DEFINED[name].parameters if (text := one.help))


def test_the_groups_hold_the_functions_of_their_verbs():
    for name, verb in DEFINED.items():
        assert public(verb) is function_of(name), name
    assert not callable(genolm.models) and genolm.models_table()


def test_names_beside_those_of_verbs_are_gone():
    for name in ("check_generated", "describe", "train_detector", "explain_memory", "build_corpus", "train_tokenizer"):
        assert not hasattr(genolm, name)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: genolm.embed("m", "i", length=0), r"length must be at least 1 \(value 0\)"),
        (lambda: genolm.embed("m", "i", length="x"), r"length must be an integer \(value 'x'\)"),
        (lambda: genolm.embed("m", "i", length=True), r"length must be an integer \(value True\)"),
        (lambda: genolm.embed("m", "i", layer="last"), r"layer must be an integer or all \(value 'last'\)"),
        (lambda: genolm.embed("m", "i", iupac="keep"), r"iupac must be one of raise, N, sample \(value 'keep'\)"),
        (lambda: genolm.embed("m", "i", dtype="int8"), r"dtype must be one of float32, bfloat16, float16 \(value"),
        (lambda: genolm.score("m", "i", batch_tokens=0), r"batch_tokens must be at least 1 \(value 0\)"),
        (lambda: genolm.scan("m", "i", fdr=1.5), r"fdr must be between 0 and 1 \(value 1.5\)"),
        (lambda: genolm.scan("m", "i", fdr=float("nan")), r"fdr must be between 0 and 1 \(value nan\)"),
        (lambda: genolm.cluster("m", ["a.fa"], length=[100, 0]), r"length must be at least 1 \(value \[100, 0\]\)"),
        (lambda: genolm.simulate("folder", seed=-1), r"seed must be between 0 and 4294967295 \(value -1\)"),
    ],
)
def test_python_checks_arguments_as_the_command_line_does(call, message):
    with pytest.raises(genolm.InputError, match=f"^{message}"):
        call()


def test_an_unknown_argument_is_a_type_error_as_usual():
    with pytest.raises(TypeError, match=r"genolm\.embed\(\) got an unexpected keyword argument 'batch_size'"):
        genolm.embed("m", "i", batch_size=3)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"genolm\.detect\.apply\(\) missing a required"):
        genolm.detect.apply("detector")  # type: ignore[call-arg]


def test_the_table_is_read_without_the_verbs():
    assert list(table()) == list(VERBS) and table() == DEFINED


def test_aliases_of_markers_describe_types():
    hints = inspect.signature(inspect.unwrap(genolm.score), eval_str=True).parameters
    assert get_origin(get_args(hints["context"].annotation)[0]) is Annotated
    assert Literal["raise", "N", "sample"] == hints["iupac"].annotation
