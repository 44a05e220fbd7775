"""YAML files of recipes: found by path or by shipped name, and read into frozen dataclasses key by key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from genolm.errors import InputError, ModelError
from genolm.files.lines import text_lines


def shipped_recipes() -> list[str]:
    """Names of the recipes that come with the package."""
    return sorted(path.stem for path in _shipped_folder().glob("*.yaml"))


def read_mapping(source: str | Path) -> tuple[Path, dict[str, Any]]:
    """The YAML mapping of a file, or of a shipped recipe by its name, with the path that was read.

    Raises:
        InputError: for a file that is not there or not YAML, and for YAML that is no mapping.
    """
    path = _recipe_path(source)
    try:
        values = yaml.safe_load("".join(f"{line}\n" for _, line in text_lines(path)))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise InputError("not valid YAML", file=path, line=mark.line + 1 if mark else None) from error
    if not isinstance(values, dict):
        raise InputError("a recipe is a YAML mapping", file=path, value=values)
    return path, values


def fill(path: Path, where: str, kind: type[Any], values: Any) -> Any:
    """A dataclass out of a mapping of YAML; lists become tuples.

    Args:
        path: the file that it stands in, for messages.
        where: what the mapping is called, for messages.
        kind: the dataclass.
        values: the mapping.

    Raises:
        InputError: an unknown or missing key, a value of the wrong type or that the dataclass refuses.
    """
    if not isinstance(values, dict):
        raise InputError(f"{where} is a mapping", file=path, value=values)
    _check_keys(path, where, kind, values)
    try:
        return kind(**{key: _frozen(value) for key, value in values.items()})
    except InputError as error:
        raise InputError(error.message, file=path, value=error.value) from None
    except (TypeError, ModelError) as error:
        raise InputError(f"{where}: {str(error).split('__init__() ')[-1]}", file=path) from error


def _check_keys(path: Path, where: str, kind: type[Any], values: Mapping[Any, Any]) -> None:
    known = {item.name for item in fields(kind)}
    for key in values:
        if key not in known:
            raise InputError(f"unknown key in {where}; it has {', '.join(sorted(known))}", file=path, value=key)
    for item in fields(kind):
        if item.name not in values and item.default is MISSING and item.default_factory is MISSING:
            raise InputError(f"{where} lacks the key {item.name}", file=path)
        if item.name in values and not isinstance(values[item.name], _TYPES.get(str(item.type), object)):
            raise InputError(f"{item.name} in {where} must be of type {item.type}", file=path, value=values[item.name])


_TYPES: dict[str, Any] = {"int": int, "float": int | float, "str": str, "bool": bool}
"""What YAML may hold for a field of each plain type."""


def _frozen(value: Any) -> Any:
    """Lists as tuples all the way down, so that a recipe cannot change."""
    if isinstance(value, list):
        return tuple(_frozen(item) for item in value)
    if isinstance(value, dict):
        return {key: _frozen(item) for key, item in value.items()}
    return value


def is_number(value: object) -> bool:
    """Return whether a value is an integer or float, and not a boolean."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shipped_folder() -> Path:
    return Path(str(resources.files("genolm.training") / "recipes"))


def _recipe_path(source: str | Path) -> Path:
    path = Path(source)
    if path.is_file():
        return path
    if str(source) in shipped_recipes():
        return _shipped_folder() / f"{source}.yaml"
    known = ", ".join(shipped_recipes())
    raise InputError(f"no such recipe file, and not one of the shipped recipes: {known}", value=str(source))
