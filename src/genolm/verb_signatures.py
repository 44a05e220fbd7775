"""Reading of definitions of verbs from signatures, annotations and docstrings."""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, Unpack, get_args, get_origin

from genolm.parameters import (
    Between,
    Completed,
    Kind,
    Parameter,
    PythonOnly,
    ReplacedBy,
    Several,
    Short,
    Shown,
    Single,
    Verb,
)

_KINDS: dict[type, Kind] = {bool: "flag", int: "integer", float: "number", Path: "path", str: "text"}
_PLACEHOLDERS: dict[Kind, str] = {"integer": "N", "number": "X", "path": "FILE", "text": "TEXT", "flag": ""}
_MARKERS = (Between, Completed, PythonOnly, ReplacedBy, Several, Single, Short, Shown)
Marker = TypeVar("Marker")
_SECTION = re.compile(r"^(?:Args|Keys|Attributes|Returns|Raises|Yields|Notes):$", re.M)


def define(name: str, function: Callable[..., Any], example: str) -> Verb:
    """Return the definition of a verb from its public function.

    Raises:
        TypeError: a parameter has no description, or a description has no parameter.
    """
    doc = inspect.getdoc(function) or ""
    paragraphs = [" ".join(text.split()) for text in _SECTION.split(doc)[0].strip().split("\n\n")]
    texts = described(doc, "Args")
    own = [one for one in _evaluated(function) if one.kind is not one.VAR_KEYWORD]
    options = run_options(function)
    if set(texts) != {one.name for one in own}:
        raise TypeError(f"{function.__qualname__}: parameters and their descriptions differ")
    parameters = [_parameter(one, texts[one.name]) for one in own]
    parameters += [] if options is None else _shared_parameters(options)
    details = paragraphs[1] if len(paragraphs) > 1 else ""
    return Verb(name, paragraphs[0], details, example, tuple(one for one in parameters if one is not None))


def expanded_signature(function: Callable[..., Any]) -> inspect.Signature:
    """Return the signature with the keys of ``**run: Unpack[...]`` in place of ``run``."""
    signature, options = inspect.signature(function), run_options(function)
    if options is None:
        return signature
    own = [one for one in signature.parameters.values() if one.kind is not one.VAR_KEYWORD]
    return signature.replace(parameters=[*own, *_keys(options)])


def expanded_doc(function: Callable[..., Any]) -> str:
    """Return the docstring with the descriptions of the keys of ``**run: Unpack[...]`` at the end of ``Args:``."""
    doc, options = inspect.getdoc(function) or "", run_options(function)
    if options is None:
        return doc
    lines = [_wrapped(name, text) for name, text in described(inspect.getdoc(options) or "", "Keys").items()]
    head, args, rest = doc.partition("\nArgs:\n")
    own, *others = re.split(r"\n\n(?=\S)", rest, maxsplit=1)
    return "\n\n".join(["\n".join([head + args + own.rstrip("\n"), *lines]), *others])


def run_options(function: Callable[..., Any]) -> type | None:
    """Return the TypedDict of ``**run: Unpack[...]``; None if the function has no such parameter."""
    for one in _evaluated(function):
        if one.kind is one.VAR_KEYWORD and get_origin(one.annotation) is Unpack:
            found: type = get_args(one.annotation)[0]
            return found
    return None


def described(doc: str, section: str) -> dict[str, str]:
    """Return the descriptions by name in a section of a docstring, each on one line."""
    block = doc.partition(f"{section}:\n")[2]
    block = re.split(r"\n\n(?=\S)", block, maxsplit=1)[0]
    entries = re.split(r"^(\w+): ", textwrap.dedent(block), flags=re.M)[1:]
    return {name: " ".join(text.split()) for name, text in zip(entries[::2], entries[1::2], strict=True)}


def _evaluated(function: Callable[..., Any]) -> list[inspect.Parameter]:
    return list(inspect.signature(function, eval_str=True).parameters.values())


def _shared_parameters(options: type) -> list[Parameter | None]:
    """Return the definitions of the keys of a TypedDict; in unions, classes of torch are in quotes."""
    texts, namespace = described(inspect.getdoc(options) or "", "Keys"), vars(sys.modules[options.__module__])
    return [
        _parameter(one.replace(annotation=eval(one.annotation, namespace)), texts[one.name], shared=True)
        for one in _keys(options)
    ]


def _keys(options: type) -> Iterator[inspect.Parameter]:
    """Yield the keys of a TypedDict as keyword-only parameters; the default is False for a flag, otherwise None."""
    for name, annotation in options.__annotations__.items():
        text = annotation.__forward_arg__
        default = False if text == "bool" else None
        yield inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=text)


def _parameter(given: inspect.Parameter, text: str, *, shared: bool = False) -> Parameter | None:
    """Return the definition of a parameter; None if the command line does not have it."""
    members = list(_members(given.annotation))
    if PythonOnly() in members:
        return None
    choices = tuple(value for one in members if get_origin(one) is Literal for value in get_args(one))
    completed, replaced = _marker(members, Completed(""), Completed), _marker(members, ReplacedBy(""), ReplacedBy)
    objects, kind = _kind(members, completed)
    bounds, empty = _marker(members, Between(None), Between), given.default is given.empty
    positional = given.kind is not given.KEYWORD_ONLY
    in_memory = given.name == "out" and NoneType in members
    return Parameter(
        name=given.name,
        help=text,
        kind=kind,
        choices=choices,
        low=bounds.low,
        high=bounds.high,
        several=(Sequence in members or Several() in members) and Single() not in members,
        positional=positional,
        required=empty or in_memory,
        default=None if empty or isinstance(given.default, tuple) else given.default,
        shown=_marker(members, _default_placeholder(given, kind, choices), Shown).placeholder,
        short=_marker(members, Short(""), Short).option,
        completes=completed.names,
        replaced_by=replaced.parameter,
        objects=objects,
        shared=shared,
    )


def _marker(members: Iterable[object], default: Marker, kind: type[Marker]) -> Marker:
    """Return the first marker of a kind."""
    return next((one for one in members if isinstance(one, kind)), default)


def _members(annotation: Any) -> Iterator[Any]:
    """Yield the members of a union and the markers of an annotation, and `Sequence` for several values."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *markers = get_args(annotation)
        yield from markers
        yield from _members(inner)
    elif origin in (Union, UnionType):
        for one in get_args(annotation):
            yield from _members(one)
    elif origin is Sequence:
        yield Sequence
        yield from _members(get_args(annotation)[0])
    else:
        yield annotation


def _kind(members: Sequence[Any], completed: Completed) -> tuple[bool, Kind]:
    """Return whether objects of other types are accepted, and the kind of value on the command line."""
    plain = {bool, int, float, str, Path, NoneType, Sequence}
    objects = any(
        one not in plain and not isinstance(one, _MARKERS) and get_origin(one) not in (Literal, tuple)
        for one in members
    )
    kind: Kind = next((_KINDS[known] for known in _KINDS if known in members), "text")
    return objects, "text" if kind == "path" and (objects or completed.names) else kind


def _default_placeholder(given: inspect.Parameter, kind: Kind, choices: Sequence[str]) -> Shown:
    if given.kind is not given.KEYWORD_ONLY:
        return Shown(given.name.upper())
    return Shown("" if choices else _PLACEHOLDERS[kind])


def _wrapped(name: str, text: str) -> str:
    return textwrap.fill(f"{name}: {text}", 120, initial_indent="    ", subsequent_indent="        ")
