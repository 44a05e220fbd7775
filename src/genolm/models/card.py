"""The card of a model: what a reader must know before using it, kept beside the weights as ``card.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from genolm.errors import ModelError
from genolm.models.model_files import CARD, read_json, write_json

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
    def from_dict(cls, values: Mapping[str, Any], *, file: str | Path = CARD) -> Card:
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
        write_json(folder / CARD, self.to_dict())


def read_card(folder: Path) -> Card | None:
    """The card in ``folder``; None where there is none.

    Raises:
        ModelError: the file is not a JSON object, or not a card.
    """
    path = folder / CARD
    return Card.from_dict(read_json(path), file=path) if path.is_file() else None
