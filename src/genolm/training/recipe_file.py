"""YAML recipes: lookup by path or name, and conversion into frozen dataclasses."""

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
    """Return the names of the recipes that are part of the package."""
    return sorted(path.stem for path in _shipped_folder().glob("*.yaml"))


def read_mapping(source: str | Path, *, shipped: bool = True) -> tuple[Path, dict[str, Any]]:
    """Read the YAML mapping of a file, or of a shipped recipe by name; return its path and content.

    Args:
        source: path, or name of a shipped recipe.
        shipped: whether a name is accepted; the shipped recipes are those of pretraining.

    Raises:
        InputError: the file does not exist, is not YAML, or is not a mapping.
    """
    path = _recipe_path(source, shipped)
    try:
        values = yaml.safe_load("".join(f"{line}\n" for _, line in text_lines(path)))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise InputError("not valid YAML", file=path, line=mark.line + 1 if mark else None) from error
    if not isinstance(values, dict):
        raise InputError("a recipe must be a YAML mapping", file=path, value=values)
    return path, values


def fill(path: Path, where: str, kind: type[Any], values: Any) -> Any:
    """Create a dataclass from a YAML mapping; lists become tuples.

    Args:
        path: file of the mapping, for messages.
        where: name of the mapping, for messages.
        kind: dataclass to create.
        values: the mapping.

    Raises:
        InputError: a key is unknown or missing, or a value is invalid.
    """
    if not isinstance(values, dict):
        raise InputError(f"{where} must be a mapping", file=path, value=values)
    _check_keys(path, where, kind, values)
    try:
        return kind(**{key: _frozen(value) for key, value in values.items()})
    except InputError as error:
        raise error.at(file=path) from None
    except (TypeError, ModelError) as error:
        raise InputError(f"{where}: {str(error).split('__init__() ')[-1]}", file=path) from error


def _check_keys(path: Path, where: str, kind: type[Any], values: Mapping[Any, Any]) -> None:
    known = {item.name for item in fields(kind)}
    for key in values:
        if key not in known:
            raise InputError(f"unknown key in {where}; known keys are {', '.join(sorted(known))}", file=path, value=key)
    for item in fields(kind):
        if item.name not in values and item.default is MISSING and item.default_factory is MISSING:
            raise InputError(f"{where} lacks the key {item.name}", file=path)
        if item.name in values and not isinstance(values[item.name], _TYPES.get(str(item.type), object)):
            raise InputError(f"{item.name} in {where} must be of type {item.type}", file=path, value=values[item.name])


_TYPES: dict[str, Any] = {"int": int, "float": int | float, "str": str, "bool": bool}
"""YAML types accepted for each plain field type."""


def _frozen(value: Any) -> Any:
    """Convert lists into tuples recursively, so that a recipe cannot change."""
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


def _recipe_path(source: str | Path, shipped: bool) -> Path:
    path = Path(source)
    if path.is_file():
        return path
    if not shipped:
        raise InputError("no such recipe file", value=str(source), code="file-not-found")
    if str(source) in shipped_recipes():
        return _shipped_folder() / f"{source}.yaml"
    known = ", ".join(shipped_recipes())
    raise InputError(
        f"no such recipe file, and not one of the shipped recipes: {known}", value=str(source), code="file-not-found"
    )
