"""Model cards: what a user must know about a model, stored with its weights as ``card.json``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from genolm.errors import ModelError
from genolm.models.heads.head_config import HeadConfig, check_head_name, head_from_json, head_to_json
from genolm.models.model_files import CARD, read_json, write_json
from genolm.models.networks.network_config import NetworkConfig
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.tokens.tokenizer import CLS, SEP, Tokenizer

_LISTS = ("begin", "end", "notes")
_OPTIONAL = ("begin", "end", "training", "heads", "base_sha256")


@dataclass(frozen=True, slots=True)
class StoredHead:
    """A head that is stored beside the weights of its backbone, as ``heads/NAME.safetensors``.

    Attributes:
        config: config of the head, with the names, units and scaling of its outputs.
        sha256: hex digest of its file.
    """

    config: HeadConfig
    sha256: str

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain JSON values."""
        return {**head_to_json(self.config), "sha256": self.sha256}


@dataclass(frozen=True, slots=True)
class Card:
    """Description of a model, its use and its licence.

    Attributes:
        name: name for :func:`genolm.load`, or the name of the folder.
        family: ``genos``, ``genolm``, ``mistral`` ...
        objective: ``causal`` (next token) for decoders, ``masked`` (masked tokens) for encoders.
        context: longest input that the weights were trained for, in tokens.
        layer: default layer for embeddings (0: embedding, ``num_layers``: after the final norm); None: the last.
        pooling: default pooling for embeddings.
        precision: precision of the computation in training: ``float32``, ``bfloat16`` or ``float16``.
        begin: names of the special tokens that the model expects before a sequence.
        end: names of the special tokens after it.
        licence: SPDX identifier of the licence; ``unknown`` if the folder does not state it.
        sha256: hex digest of ``model.safetensors``, verified on loading; None if not recorded.
        source: origin of the weights.
        citation: citation of the model.
        notes: known contradictions and limitations.
        metrics: measured values, by names that include the unit.
        training: what is needed to reproduce the training: recipe, steps, seed, versions; empty if not recorded.
        heads: heads stored beside the weights, by name.
        base_sha256: of an adapter, the hex digest of the weights of its base
            (:func:`genolm.models.lora.base_weights.weights_sha256`); None for other models or if not recorded.
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
    heads: Mapping[str, StoredHead] = field(default_factory=dict, hash=False)
    base_sha256: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain JSON values, without empty fields that most models do not have."""
        lists = {name: list(getattr(self, name)) for name in _LISTS}
        heads = {name: head.to_dict() for name, head in self.heads.items()}
        values = {**asdict(replace(self, heads={})), **lists, "metrics": dict(self.metrics), "heads": heads}
        return {name: value for name, value in values.items() if value or name not in _OPTIONAL}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, file: str | Path = CARD) -> Card:
        """Read the values that :meth:`to_dict` returned.

        Raises:
            ModelError: a key is unknown, or the name is missing.
        """
        unknown = set(values) - {item.name for item in fields(cls)}
        if unknown:
            raise ModelError(f"{file}: unknown key in a model card: {', '.join(sorted(unknown))}")
        if not values.get("name"):
            raise ModelError(f"{file}: a model card must have a name")
        lists: dict[str, Any] = {name: tuple(values.get(name, ())) for name in _LISTS}
        return cls(**{**values, **lists, "heads": _stored_heads(values.get("heads", {}), file)})

    def with_notes(self, notes: Iterable[str]) -> Card:
        """Return the card with further notes, except those it already has."""
        return replace(self, notes=(*self.notes, *(note for note in notes if note not in self.notes)))

    def write(self, folder: Path) -> None:
        """Write ``card.json`` into ``folder``."""
        write_json(folder / CARD, self.to_dict())


def _stored_heads(values: Any, file: str | Path) -> dict[str, StoredHead]:
    if not isinstance(values, Mapping):
        raise ModelError(f"{file}: heads must be a mapping, not {values!r}")
    heads = {}
    for name, head in values.items():
        what = f"{file}: head {name}"
        check_head_name(name)
        if not isinstance(head, Mapping) or not isinstance(head.get("sha256"), str):
            raise ModelError(f"{what} must have a kind and a sha256")
        config = {key: value for key, value in head.items() if key != "sha256"}
        heads[name] = StoredHead(head_from_json(config, what), head["sha256"])
    return heads


def read_card(folder: Path) -> Card | None:
    """Return the card in ``folder``; None without one.

    Raises:
        ModelError: the file is not a JSON object, or not a model card.
    """
    path = folder / CARD
    return Card.from_dict(read_json(path), file=path) if path.is_file() else None


def complete_card(
    card: Card | None, name: str, values: Mapping[str, Any], config: NetworkConfig, tokenizer: Tokenizer
) -> Card:
    """Return a card with its context; for a model without a card, what its config and its tokenizer say.

    Args:
        card: card of the model; None if it has none.
        name: name of a model without a card.
        values: its ``config.json``.
        config: its network.
        tokenizer: its tokenizer.
    """
    if card is None:
        card = Card(
            name,
            family=str(values["model_type"]),
            objective=config.objective,
            precision=str(values.get("torch_dtype") or values.get("dtype") or "float32"),
        )
        if _has_bert_tokens(tokenizer):  # BERT and GenomeOcean were trained with these around every sequence
            card = replace(card, begin=(CLS,), end=(SEP,))
    return card if card.context else replace(card, context=config.max_positions)


def _has_bert_tokens(tokenizer: Tokenizer) -> bool:
    if isinstance(tokenizer, NucleotideTokenizer):
        return False
    try:
        return all(tokenizer.special_id(name) >= 0 for name in (CLS, SEP))
    except ModelError:
        return False
