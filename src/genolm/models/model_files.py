"""Files of a model folder: their names, and JSON read strictly. Needs no torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from genolm.errors import ModelError
from genolm.files.pointers import REMEDY, is_pointer

CONFIG = "config.json"
CARD = "card.json"
TOKENIZER = "tokenizer.json"
SETTINGS = "tokenizer_config.json"
SINGLE = "model.safetensors"
"""All weights in one file."""
INDEX = "model.safetensors.index.json"
"""Map from tensor names to the files of sharded weights."""
HEADS = "heads"
"""Folder of the heads that are stored beside a backbone, one safetensors file each."""
ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
PICKLE = "pytorch_model.bin"
"""Weights written by ``torch.save``; genolm only converts them."""


def is_present(path: Path) -> bool:
    """Return whether a model folder has the file ``path``.

    Raises:
        ModelError: ``path`` is a folder or a dangling link.
    """
    if path.is_symlink() and not path.exists():
        raise ModelError(
            f"{path}: a link to {path.readlink()}, which is missing; copy the folder with its files (cp -rL)",
            code="damaged-model",
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
            raise ModelError(f"{path}: {REMEDY}", code="damaged-model")
        if not content.strip():
            raise ModelError(f"{path}: the file is empty; copy or download it again", code="damaged-model")
        values = json.loads(content, object_pairs_hook=_unambiguous)
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: not readable as JSON: {error}", code="damaged-model") from error
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
