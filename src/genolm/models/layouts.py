"""Where each of our tensors stands in the files of a model folder, whichever layout it is in."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

import torch

from genolm.errors import ModelError
from genolm.models.adapters import huggingface, megatron
from genolm.models.adapters.megatron_merge import drift
from genolm.models.adapters.pieces import Held, Piece, check
from genolm.models.config import DecoderConfig
from genolm.models.config_file import Layout
from genolm.models.decoder import Decoder
from genolm.models.shards import read_shards

_HEADS = {
    "huggingface": (huggingface.HEAD, huggingface.EMBEDDING),
    "megatron": (megatron.HEAD, megatron.EMBEDDING),
    "genolm": ("head.weight", "embedding.weight"),
}
_DERIVED = {"huggingface": huggingface.DERIVED, "megatron": megatron.DERIVED}


class Fitted(NamedTuple):
    """A checkpoint that fits its config.

    Attributes:
        pieces: where each part of our tensors stands.
        held: what the pieces speak of.
        notes: what was knowingly left out or chosen between.
    """

    pieces: list[Piece]
    held: dict[str, Held]
    notes: tuple[str, ...]


def tensor_shapes(config: DecoderConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of each of our tensors, a tied head left out."""
    with torch.device("meta"):
        return {name: tuple(weight.shape) for name, weight in Decoder(config).named_parameters()}


def pieces_of(config: DecoderConfig, layout: Layout, names: Collection[str] = ()) -> list[Piece]:
    """The table of names of ``layout``, spelt as a checkpoint that holds ``names`` spells it."""
    if layout == "huggingface":
        return huggingface.pieces(config, names)
    if layout == "megatron":
        return megatron.pieces(config, names)
    return [Piece(name, name) for name in tensor_shapes(config)]


def open_weights(folder: Path, config: DecoderConfig, layout: Layout) -> Fitted:
    """The tensors of ``folder``, checked against the config: none missing, none left over, every shape right.

    Raises:
        ModelError: naming the first tensor that does not fit, or the file that is missing or damaged.
    """
    return fit(read_shards(folder), config, layout, str(folder))


def fit(held: Mapping[str, Held], config: DecoderConfig, layout: Layout, where: str) -> Fitted:
    """Tensors by name, checked against the config as by :func:`open_weights`; ``where`` is named in errors."""
    kept = {name: stored for name, stored in held.items() if not name.endswith(_DERIVED.get(layout, ()))}
    notes: list[str | None] = []
    if layout == "megatron":
        kept, left_out = megatron.without_inactive(kept, config)
        notes = [left_out, drift(kept)]
    if config.tied:
        _drop_tied_head(kept, where, *_HEADS[layout])
    pieces = pieces_of(config, layout, kept)
    check(pieces, kept, tensor_shapes(config), where)
    return Fitted(pieces, kept, tuple(note for note in notes if note))


def _drop_tied_head(held: dict[str, Held], where: str, head: str, embedding: str) -> None:
    """Some writers store the shared tensor twice; a copy that differs means that the config is wrong."""
    copy, original = held.pop(head, None), held.get(embedding)
    if copy is None or original is None:
        return
    if copy.shape != original.shape or not torch.equal(copy.read(), original.read()):
        raise ModelError(f"{where}: {head} differs from {embedding}, although the config ties the two")
