"""Model folders in any layout: ``config.json``, ``tokenizer.json`` and ``card.json``, read once. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genolm.errors import ModelError
from genolm.models.adapters.configs import Layout, parse_config
from genolm.models.adapters.megatron.megatron_folder import is_checkpoint
from genolm.models.card import Card
from genolm.models.model_files import CARD, CONFIG, TOKENIZER, read_optional_json
from genolm.models.networks.network_config import NetworkConfig


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """Content of the small files of a model folder.

    Attributes:
        path: the folder.
        values: ``config.json``.
        network: the network that it describes; the heads of a published encoder are a guess until its tensors are read.
        layout: layout of the files.
        card: ``card.json``; None without one.
        tokenizer: ``tokenizer.json``; None without one.
    """

    path: Path
    values: Mapping[str, Any]
    network: NetworkConfig
    layout: Layout
    card: Card | None = None
    tokenizer: Mapping[str, Any] | None = None


def read_folder(path: Path) -> ModelFolder:
    """Read the JSON files of a model folder.

    Raises:
        ModelError: the folder or its ``config.json`` is missing, or describes a network that genolm does not have.
    """
    if not path.is_dir():
        raise ModelError(f"{path}: no such folder", code="model-not-found")
    file = path / CONFIG
    values, tokenizer, card = (read_optional_json(path / name) for name in (CONFIG, TOKENIZER, CARD))
    if values is None:
        raise ModelError(f"{path}: {_problem(path)}")
    network, layout = parse_config(values, file)
    known = None if card is None else Card.from_dict(card, file=path / CARD)
    return ModelFolder(path, values, network, layout, known, tokenizer)


def _problem(folder: Path) -> str:
    """Return why a folder without ``config.json`` cannot be used, and the remedy."""
    if is_checkpoint(folder):
        return (
            "a Megatron checkpoint, which cannot be used directly; convert it first:"
            f" genolm convert {folder} OUT --from megatron --to genolm"
        )
    inside = sorted(path.parent.name for path in folder.glob(f"*/{CONFIG}"))
    hint = f"; did you mean {folder / inside[0]}?" if inside else ""
    return f"not a model folder: {CONFIG} is missing{hint}"
