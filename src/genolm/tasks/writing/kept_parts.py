"""Argument ``from_`` of a verb: its analysis of kept parts, with only those options that do not need the model."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

from genolm.errors import InputError

P = ParamSpec("P")
R = TypeVar("R")

_ALWAYS = ("out", "overwrite", "progress")


class Request(NamedTuple):
    """Request to analyse kept parts.

    Attributes:
        parts: folder of the parts.
        out: path of the output; None returns the result.
        given: options of the analysis that were given, by name; for all others the values of the run apply.
        running: the run options that apply to an analysis, by name.
    """

    parts: Path
    out: Path | None
    given: Mapping[str, Any]
    running: Mapping[str, Any]


def analysed_by(
    analysis: Callable[[Request], R], options: Collection[str]
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator of verbs: with ``from_``, the verb calls ``analysis``.

    Only arguments that are passed count as given, not defaults, so that an option that is omitted keeps the value that
    the run had. With ``from_``, any further argument raises `InputError`; None counts as omitted.

    Args:
        analysis: function that analyses the parts.
        options: names of the verb's arguments that the analysis accepts.
    """

    def decorated(verb: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(verb)

        @wraps(verb)
        def called(*args: P.args, **kwargs: P.kwargs) -> R:
            given = _flat(signature.bind(*args, **kwargs))
            if given.get("from_") is None:
                return verb(*args, **kwargs)
            return analysis(_request(given, options))

        return called

    return decorated


def _flat(bound: inspect.BoundArguments) -> dict[str, Any]:
    """Return the passed arguments by name, those of ``**options`` included."""
    given: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        further = bound.signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD
        given |= value if further else {name: value}
    return given


def _request(given: Mapping[str, Any], options: Collection[str]) -> Request:
    accepted = (*options, *_ALWAYS, "from_")
    refused = [name for name, value in given.items() if name not in accepted and value is not None]
    if refused:
        raise InputError(
            f"from_ analyses parts that are already computed, so {', '.join(refused)} cannot be given with it;"
            f" expected only {', '.join(options)}"
        )
    running = {name: given[name] for name in _ALWAYS[1:] if name in given}
    out = given.get("out")
    chosen = {name: given[name] for name in options if name in given}
    return Request(Path(given["from_"]), None if out is None else Path(out), chosen, running)
