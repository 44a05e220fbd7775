"""Reading of definitions of verbs from signatures, annotations and docstrings."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, ForwardRef, Literal, Union, Unpack, get_args, get_origin, get_type_hints

from genolm.verbs import Between, Completed, Kind, Parameter, PythonOnly, ReplacedBy, Several, Short, Shown, Verb, named

_KINDS: dict[type, Kind] = {bool: "flag", int: "integer", float: "number", Path: "path", str: "text"}
_PLACEHOLDERS: dict[Kind, str] = {"integer": "N", "number": "X", "path": "FILE", "text": "TEXT", "flag": ""}
_MARKERS = (Between, Completed, PythonOnly, ReplacedBy, Several, Short, Shown)
_SECTION = re.compile(r"^(?:Args|Keys|Attributes|Returns|Raises|Yields|Warns):$", re.M)


def define(function: Callable[..., Any], example: str) -> Verb:
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
    return Verb(named(function), paragraphs[0], details, example, tuple(one for one in parameters if one is not None))


def expanded_signature(function: Callable[..., Any]) -> inspect.Signature:
    """Return the signature with the keys of ``**run: Unpack[...]`` in place of ``run``."""
    signature, options = inspect.signature(function), run_options(function)
    if options is None:
        return signature
    own = [one for one in signature.parameters.values() if one.kind is not one.VAR_KEYWORD]
    return signature.replace(parameters=[*own, *_keys(options, options.__annotations__)])


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
    texts = described(inspect.getdoc(options) or "", "Keys")
    hints = get_type_hints(options, include_extras=True)
    return [_parameter(one, texts[one.name], shared=True) for one in _keys(options, hints)]


def _keys(options: type, annotations: dict[str, Any]) -> Iterator[inspect.Parameter]:
    """Yield the keys of a TypedDict as keyword-only parameters; the default is False for a flag, otherwise None."""
    hints = get_type_hints(options)
    for name, annotation in annotations.items():
        shown = annotation.__forward_arg__ if isinstance(annotation, ForwardRef) else annotation
        default = False if hints[name] is bool else None
        yield inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=shown)


def _parameter(given: inspect.Parameter, text: str, *, shared: bool = False) -> Parameter | None:
    """Return the definition of a parameter; None if the command line does not have it."""
    members = list(_members(given.annotation))
    markers = {type(one): one for one in members if isinstance(one, _MARKERS)}
    if PythonOnly in markers:
        return None
    choices = tuple(value for one in members if get_origin(one) is Literal for value in get_args(one))
    objects, kind = _kind(members, Completed in markers)
    bounds = markers.get(Between)
    positional, required = given.kind is not given.KEYWORD_ONLY, given.default is given.empty
    several = Sequence in members or Several in markers
    default = None if required or isinstance(given.default, tuple) else given.default
    replaced = markers.get(ReplacedBy)
    return Parameter(
        name=given.name,
        help=text,
        kind=kind,
        choices=choices,
        low=None if bounds is None else bounds.low,
        high=None if bounds is None else bounds.high,
        several=several,
        positional=positional,
        required=(required or (positional and given.name == "out" and NoneType in members)) and replaced is None,
        default=default,
        shown=_placeholder(given, kind, choices, markers.get(Shown)),
        short=markers[Short].option if Short in markers else "",
        completes=markers[Completed].names if Completed in markers else "",
        replaced_by="" if replaced is None else replaced.parameter,
        objects=objects,
        shared=shared,
    )


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


def _kind(members: Sequence[Any], names: bool) -> tuple[bool, Kind]:
    """Return whether objects of other types are accepted, and the kind of value on the command line."""
    plain = {bool, int, float, str, Path, NoneType, Sequence}
    objects = any(
        one not in plain and not isinstance(one, _MARKERS) and get_origin(one) not in (Literal, tuple)
        for one in members
    )
    kind = next((kind for known, kind in _KINDS.items() if known in members), "text")
    return objects, "text" if kind == "path" and (objects or names) else kind


def _placeholder(given: inspect.Parameter, kind: Kind, choices: Sequence[str], marker: Shown | None) -> str:
    if marker is not None:
        return marker.placeholder
    if given.kind is not given.KEYWORD_ONLY:
        return given.name.upper()
    return "" if choices else _PLACEHOLDERS[kind]


def _wrapped(name: str, text: str) -> str:
    return textwrap.fill(f"{name}: {text}", 120, initial_indent="    ", subsequent_indent="        ")
