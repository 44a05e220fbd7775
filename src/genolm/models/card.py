"""The card of a model: what a reader must know before using it, kept beside the weights as ``card.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from genolm.errors import ModelError
from genolm.files.pointers import REMEDY, is_pointer

FILE = "card.json"
_LISTS = ("begin", "end", "notes")


@dataclass(frozen=True, slots=True)
class Card:
    """What a model is, how to use it, and under which terms.

    Attributes:
        name: name that :func:`genolm.load` knows, or the folder's name.
        family: ``genos``, ``genolm``, ``mistral`` ...
        objective: ``causal`` (next token) for every decoder, ``masked`` (hidden tokens) for every encoder.
        context: longest input in tokens that the weights were made for.
        layer: hidden state to embed with (0 embedding, ``num_layers`` after the final norm); None for the last one.
        pooling: pooling to embed with.
        precision: ``float32``, ``bfloat16`` or ``float16``: the numbers that the model was trained to compute in.
        begin: names of the special tokens that the model expects before a sequence.
        end: names of those after it.
        licence: SPDX name of the binding licence; ``unknown`` when the folder does not say.
        sha256: hex digest of the folder's single ``model.safetensors``, verified on loading; None when not recorded.
        source: where the weights come from.
        citation: how to cite them.
        notes: contradictions and limits worth knowing.
        metrics: measured numbers, each under a name that carries its unit.
        training: what it takes to train the same again: recipe, steps, seed, versions; empty when not recorded.
    """

    name: str
    family: str = "unknown"
    objective: str = "causal"
    context: int = 0
    layer: int | None = None
    pooling: str = "mean"
    precision: str = "float32"
    begin: tuple[str, ...] = ()
    end: tuple[str, ...] = ()
    licence: str = "unknown"
    sha256: str | None = None
    source: str = ""
    citation: str = ""
    notes: tuple[str, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict, hash=False)
    training: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain JSON values; without ``begin``, ``end`` and ``training`` where they are empty."""
        lists = {name: list(getattr(self, name)) for name in _LISTS}
        values = {**asdict(self), **lists, "metrics": dict(self.metrics)}
        return {name: value for name, value in values.items() if value or name not in ("begin", "end", "training")}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, file: str | Path = FILE) -> Card:
        """The card that :meth:`to_dict` wrote.

        Raises:
            ModelError: a key that no card has, or no name.
        """
        unknown = set(values) - {item.name for item in fields(cls)}
        if unknown:
            raise ModelError(f"{file}: no card has the key {', '.join(sorted(unknown))}")
        if not values.get("name"):
            raise ModelError(f"{file}: a card needs a name")
        lists: dict[str, Any] = {name: tuple(values.get(name, ())) for name in _LISTS}
        return cls(**{**values, **lists})

    def write(self, folder: Path) -> None:
        """Write ``card.json`` into ``folder``."""
        (folder / FILE).write_text(json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_card(folder: Path) -> Card | None:
    """The card in ``folder``; None where there is none.

    Raises:
        ModelError: the file is not a JSON object, or not a card.
    """
    path = folder / FILE
    return Card.from_dict(read_json(path), file=path) if path.is_file() else None


def is_present(path: Path) -> bool:
    """Return whether a model folder has the file ``path``.

    Raises:
        ModelError: there is a folder in its place, or a link to a file that is not there.
    """
    if path.is_symlink() and not path.exists():
        raise ModelError(
            f"{path}: a link to {path.readlink()}, which is missing; copy the folder with its files (cp -rL)"
        )
    if path.is_dir():
        raise ModelError(f"{path}: a folder where a file is expected")
    return path.is_file()


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in pairs:
        if key in values and values[key] != value:
            raise ValueError(f"the key {key!r} has two values, {values[key]!r} and {value!r}")
        values[key] = value
    return values


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in ``path``.

    A byte order mark, UTF-16 and UTF-32 are read too.

    Raises:
        ModelError: the file cannot be read, is empty or a pointer of Git LFS, holds no JSON object, or one with two
            values for a key.
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
        raise ModelError(f"{path}: a JSON object is expected, not a {type(values).__name__}")
    return values
