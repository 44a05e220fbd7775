"""Tensors of ModernBERT, the architecture of ModernGENA: query, key and value in one tensor, gate and up in another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from genolm.errors import ModelError
from genolm.models.adapters.pieces import Piece, StoredTensor, Within, same
from genolm.models.networks.encoder_config import EncoderConfig

EMBEDDING = "model.embeddings.tok_embeddings.weight"
DECODER = "decoder.weight"

_PROJECTIONS = ("query", "key", "value")
_GATED = ("gate", "up")


def pieces(config: EncoderConfig) -> list[Piece]:
    """Return the weights of ``config`` under their published names, without the decoder, a copy of the embedding."""
    table = [Piece(EMBEDDING, "embedding.tokens.weight"), *_norm(config, "model.embeddings.norm", "embedding.norm")]
    for layer in range(config.num_layers):
        table += _layer(config, layer)
    table += _norm(config, "model.final_norm", "norm")
    table += [*_linear(config, "head.dense", "head.dense"), *_norm(config, "head.norm", "head.norm")]
    return [*table, Piece("decoder.bias", "head.bias")]


def without_copy(stored: Mapping[str, StoredTensor], where: str) -> dict[str, StoredTensor]:
    """Return the tensors without the decoder's weight, which is a copy of the embedding.

    Raises:
        ModelError: the two differ.
    """
    weights = dict(stored)
    copy, original = weights.pop(DECODER, None), weights.get(EMBEDDING)
    if copy is not None and original is not None and not same(copy, original):
        raise ModelError(f"{where}: {DECODER} differs from {EMBEDDING}, to which it is tied")
    return weights


def _layer(config: EncoderConfig, layer: int) -> Iterator[Piece]:
    theirs, ours = f"model.layers.{layer}", f"layers.{layer}"
    if layer or config.first_norm:
        yield from _norm(config, f"{theirs}.attn_norm", f"{ours}.attention_norm")
    width, inner = config.hidden_size, config.ffn_size
    yield from _stacked(config, f"{theirs}.attn.Wqkv", [f"{ours}.attention.{name}" for name in _PROJECTIONS], width)
    yield from _linear(config, f"{theirs}.attn.Wo", f"{ours}.attention.output")
    yield from _norm(config, f"{theirs}.mlp_norm", f"{ours}.ffn_norm")
    yield from _stacked(config, f"{theirs}.mlp.Wi", [f"{ours}.ffn.{name}" for name in _GATED], inner)
    yield from _linear(config, f"{theirs}.mlp.Wo", f"{ours}.ffn.down")


def _stacked(config: EncoderConfig, theirs: str, ours: list[str], rows: int) -> Iterator[Piece]:
    """Yield the pieces of linear layers of ``rows`` outputs each, concatenated in one tensor."""
    count, width = len(ours), config.hidden_size
    for index, name in enumerate(ours):
        within = Within((count * rows, width), (count, rows, width), (index,))
        yield Piece(f"{theirs}.weight", f"{name}.weight", within=within)
    if config.bias:
        for index, name in enumerate(ours):
            within = Within((count * rows,), (count, rows), (index,))
            yield Piece(f"{theirs}.bias", f"{name}.bias", within=within)


def _linear(config: EncoderConfig, theirs: str, ours: str) -> list[Piece]:
    parts = ("weight", "bias") if config.bias else ("weight",)
    return [Piece(f"{theirs}.{part}", f"{ours}.{part}") for part in parts]


def _norm(config: EncoderConfig, theirs: str, ours: str) -> list[Piece]:
    parts = ("weight", "bias") if config.norm_bias else ("weight",)
    return [Piece(f"{theirs}.{part}", f"{ours}.{part}") for part in parts]
