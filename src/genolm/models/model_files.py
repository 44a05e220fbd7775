"""Files of a model folder: their names, and JSON read strictly. Needs no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from genolm.errors import ModelError
from genolm.files.pointers import REMEDY, is_pointer

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Config = TypeVar("Config", bound="DataclassInstance")

CONFIG = "config.json"
CARD = "card.json"
TOKENIZER = "tokenizer.json"
SETTINGS = "tokenizer_config.json"
SINGLE = "model.safetensors"
"""All weights in one file."""
INDEX = "model.safetensors.index.json"
"""Map from tensor names to the files of sharded weights."""
PICKLE = "pytorch_model.bin"
"""Weights written by ``torch.save``; genolm only converts them."""


def is_present(path: Path) -> bool:
    """Return whether a model folder has the file ``path``.

    Raises:
        ModelError: ``path`` is a folder or a dangling link.
    """
    if path.is_symlink() and not path.exists():
        raise ModelError(
            f"{path}: a link to {path.readlink()}, which is missing; copy the folder with its files (cp -rL)"
        )
    if path.is_dir():
        raise ModelError(f"{path}: a folder where a file is expected")
    return path.is_file()


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object in UTF-8 (with or without a byte order mark), UTF-16 or UTF-32.

    Raises:
        ModelError: the file cannot be read, is empty or a Git LFS pointer, is not a JSON object, or has two values for
            one key.
    """
    try:
        content = path.read_bytes()
        if is_pointer(content):
            raise ModelError(f"{path}: {REMEDY}")
        if not content.strip():
            raise ModelError(f"{path}: the file is empty; copy or download it again")
        values = json.loads(content, object_pairs_hook=_unambiguous)
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: not readable as JSON: {error}") from error
    if not isinstance(values, dict):
        raise ModelError(f"{path}: expected a JSON object, not a {type(values).__name__}")
    return values


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in pairs:
        if key in values and values[key] != value:
            raise ValueError(f"the key {key!r} has two values, {values[key]!r} and {value!r}")
        values[key] = value
    return values


def read_optional_json(path: Path) -> dict[str, Any] | None:
    """Read a JSON object as :func:`read_json` does; None if there is no such file."""
    return read_json(path) if is_present(path) else None


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write ``values`` with an indentation of two and non-ASCII characters as they are."""
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


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
