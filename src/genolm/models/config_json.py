"""Configs, which are dataclasses, made from JSON objects. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from genolm.errors import ModelError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Config = TypeVar("Config", bound="DataclassInstance")


def from_json(
    kind: type[Config], values: Any, nested: Mapping[str, type[Any]] = MappingProxyType({}), what: str = "config"
) -> Config:
    """Make a config, which is a dataclass, from a JSON object.

    Args:
        kind: dataclass.
        values: JSON object; arrays become tuples.
        nested: dataclasses of the fields that hold a config themselves.
        what: name of the object in errors.

    Raises:
        ModelError: not an object, an unknown or a missing key, or an invalid value.
    """
    if not isinstance(values, Mapping):
        raise ModelError(f"{what} must be a mapping, not {values!r}")
    known = {field.name: field for field in fields(kind)}
    if unknown := set(values) - set(known):
        raise ModelError(f"unknown {what} keys: {', '.join(sorted(unknown))}")
    required = [name for name, field in known.items() if field.default is field.default_factory is MISSING]
    if missing := [name for name in required if name not in values]:
        raise ModelError(f"missing {what} key: {missing[0]}")
    read = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    for name, inner in nested.items():
        if read.get(name) is not None and not isinstance(read[name], inner):
            read[name] = from_json(inner, read[name], what=name)
    return kind(**read)
