"""The Hugging Face layouts of encoders, one door to both: BERT with BigBird, and ModernBERT, which is gated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from genolm.errors import ModelError
from genolm.models.adapters.encoders import gena, modernbert
from genolm.models.adapters.encoders.gena_tensors import Settled, same
from genolm.models.adapters.encoders.gena_tensors import settle as settle_gena
from genolm.models.adapters.encoders.modernbert_config import is_modernbert
from genolm.models.adapters.pieces import Held, Piece
from genolm.models.networks.encoder_config import EncoderConfig


def pieces(config: EncoderConfig) -> list[Piece]:
    """The weights of ``config`` under their published names, each once."""
    return modernbert.pieces(config) if is_modernbert(config) else gena.pieces(config)


def settle(held: Mapping[str, Held], config: EncoderConfig, values: Mapping[str, Any], where: str) -> Settled:
    """Compare a checkpoint's tensors with its config; arguments and errors as of :func:`gena_tensors.settle`."""
    if not is_modernbert(config):
        return settle_gena(held, config, values, where)
    weights = dict(held)
    copy, original = weights.pop(modernbert.DECODER, None), weights.get(modernbert.EMBEDDING)
    if copy is not None and original is not None and not same(copy, original):
        raise ModelError(f"{where}: {modernbert.DECODER} differs from {modernbert.EMBEDDING}, which it is tied to")
    return Settled(config, weights, {}, ())


def copies(config: EncoderConfig) -> list[Piece]:
    """Weights that published files hold a second time."""
    return [] if is_modernbert(config) else gena.copies(config)


def layouts(config: EncoderConfig) -> dict[str, str]:
    """The published name to ours of every layer's block layout."""
    return {} if is_modernbert(config) else gena.layouts(config)


def computed(config: EncoderConfig) -> dict[str, Tensor]:
    """What published files hold although it follows from the config."""
    return {} if is_modernbert(config) else gena.computed(config)
