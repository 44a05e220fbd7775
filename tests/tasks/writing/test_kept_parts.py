"""Argument ``from_`` of a verb: what counts as given, and what is refused."""

import inspect
from pathlib import Path

import pytest

from genolm.errors import InputError
from genolm.tasks.writing.kept_parts import Request, analysed_by


@analysed_by(lambda request: request, ("k", "plot"))
def verb(model=None, out=None, *, from_=None, k=3, plot=None, window=5, **run):
    return (model, out, k, plot, window, run)


def test_without_from_the_verb_is_called():
    assert verb("m", "o", k=4, overwrite=True) == ("m", "o", 4, None, 5, {"overwrite": True})
    assert verb("m", from_=None) == ("m", None, 3, None, 5, {})


def test_only_passed_arguments_are_given():
    assert verb(None, "o", from_="p") == Request(Path("p"), Path("o"), {}, {})
    given = verb(from_="p", k=3, plot=None, overwrite=True, progress=None)
    assert given == Request(Path("p"), None, {"k": 3, "plot": None}, {"overwrite": True, "progress": None})


@pytest.mark.parametrize(
    ("arguments", "named"),
    [({"window": 5}, "window"), ({"model": "m", "resume": True}, "model, resume"), ({"shard": "1/2"}, "shard")],
)
def test_settings_of_the_computation_are_refused(arguments, named):
    with pytest.raises(InputError, match=f"so {named} cannot be given with it; expected only k, plot"):
        verb(from_="p", **arguments)


def test_the_signature_stays():
    assert list(inspect.signature(verb).parameters) == ["model", "out", "from_", "k", "plot", "window", "run"]
    with pytest.raises(TypeError, match="multiple values"):
        verb("m", model="n")
