"""Where each of our tensors stands in the files of a model folder, whichever layout it is in."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import torch

from genolm.errors import ModelError
from genolm.models.adapters import huggingface
from genolm.models.adapters.pieces import Piece, check
from genolm.models.config import DecoderConfig
from genolm.models.config_file import Layout
from genolm.models.decoder import Decoder
from genolm.models.shards import Stored, read_shards

_HEADS = {"huggingface": (huggingface.HEAD, huggingface.EMBEDDING), "genolm": ("head.weight", "embedding.weight")}


def tensor_shapes(config: DecoderConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of each of our tensors, a tied head left out."""
    with torch.device("meta"):
        return {name: tuple(weight.shape) for name, weight in Decoder(config).named_parameters()}


def pieces_of(config: DecoderConfig, layout: Layout, names: Collection[str] = ()) -> list[Piece]:
    """The table of names of ``layout``, spelt as a checkpoint that holds ``names`` spells it."""
    if layout == "huggingface":
        return huggingface.pieces(config, names)
    return [Piece(name, name) for name in tensor_shapes(config)]


def open_weights(folder: Path, config: DecoderConfig, layout: Layout) -> tuple[list[Piece], dict[str, Stored]]:
    """The tensors of ``folder``, checked against the config: none missing, none left over, every shape right.

    Raises:
        ModelError: naming the first tensor that does not fit, or the file that is missing or damaged.
    """
    held = read_shards(folder)
    if layout == "huggingface":
        held = {name: stored for name, stored in held.items() if not name.endswith(huggingface.DERIVED)}
    if config.tied:
        _drop_tied_head(held, folder, *_HEADS[layout])
    pieces = pieces_of(config, layout, held)
    check(pieces, held, tensor_shapes(config), str(folder))
    return pieces, held


def _drop_tied_head(held: dict[str, Stored], folder: Path, head: str, embedding: str) -> None:
    """Some writers store the shared tensor twice; a copy that differs means that the config is wrong."""
    copy, original = held.pop(head, None), held.get(embedding)
    if copy is None or original is None:
        return
    if copy.shape != original.shape or not torch.equal(copy.read(), original.read()):
        raise ModelError(f"{folder}: {head} differs from {embedding}, although the config ties the two")
