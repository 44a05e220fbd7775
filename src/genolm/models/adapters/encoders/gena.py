"""Tensor names of BERT as GENA-LM extends it, and of stock BigBird, whose pooler alone is called otherwise.

Published files hold more than weights: a copy of the embedding as the decoder and of its bias, the numbers of
positions, the frequencies of rotary positions, and the layouts of DeepSpeed's block-sparse attention. Read, the copies
are compared and dropped, numbers and frequencies checked and dropped, and the layouts kept; written, all are there.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from genolm.models.adapters.pieces import Piece
from genolm.models.networks.encoder_config import EncoderConfig

EMBEDDING = "bert.embeddings.word_embeddings.weight"
POSITION_IDS = "bert.embeddings.position_ids"
POSITION_TABLE = "bert.embeddings.position_embeddings.weight"
LAYERS = "bert.encoder.layer."
INV_FREQ = ".attention.self.rotary_emb.inv_freq"
MASTER_LAYOUT = ".attention.self.sparse_self_attention.master_layout"
FINAL_NORM = "bert.encoder.last_layer_ln.weight"
PRE_NORMS = (".pre_attention_ln.", ".post_attention_ln.")
POST_NORMS = (".attention.output.LayerNorm.", ".output.LayerNorm.")
POOLERS = {"tanh": "bert.pooler.dense", "linear": "bert.pooler"}
SENTENCE = "cls.seq_relationship"
CLASSIFIER = "classifier"
COPIES = {
    "cls.predictions.decoder.weight": EMBEDDING,
    "cls.predictions.decoder.bias": "cls.predictions.bias",
}

_EMBEDDING = {
    "word_embeddings.weight": "tokens.weight",
    "token_type_embeddings.weight": "types.weight",
    "LayerNorm.weight": "norm.weight",
    "LayerNorm.bias": "norm.bias",
}
_LINEAR = {
    "attention.self.query": "attention.query",
    "attention.self.key": "attention.key",
    "attention.self.value": "attention.value",
    "attention.output.dense": "attention.output",
    "intermediate.dense": "ffn.up",
    "output.dense": "ffn.down",
}
_NORMS = {
    "pre": {"pre_attention_ln": "attention_norm", "post_attention_ln": "ffn_norm"},
    "post": {"attention.output.LayerNorm": "attention_norm", "output.LayerNorm": "ffn_norm"},
}
_HEAD = {"cls.predictions.transform.dense": "head.dense", "cls.predictions.transform.LayerNorm": "head.norm"}


def pieces(config: EncoderConfig) -> list[Piece]:
    """The weights of ``config`` under their published names, each once."""
    table = [Piece(f"bert.embeddings.{theirs}", f"embedding.{ours}") for theirs, ours in _EMBEDDING.items()]
    if config.positions == "absolute":
        table.append(Piece(POSITION_TABLE, "embedding.positions.weight"))
    for layer in range(config.num_layers):
        for theirs, ours in {**_LINEAR, **_NORMS[config.norm]}.items():
            table += _both(f"{LAYERS}{layer}.{theirs}", f"layers.{layer}.{ours}")
    if config.final_norm:
        table += _both(FINAL_NORM.removesuffix(".weight"), "norm")
    return [*table, *_heads(config)]


def _heads(config: EncoderConfig) -> Iterator[Piece]:
    if config.masked_head:
        for theirs, ours in _HEAD.items():
            yield from _both(theirs, ours)
        yield Piece("cls.predictions.bias", "head.bias")
    if config.pooler != "none":
        yield from _both(POOLERS[config.pooler], "pooler")
    if config.sentence_head:
        yield from _both(SENTENCE, "sentence")
    if config.labels:
        yield from _both(CLASSIFIER, "classifier")


def _both(theirs: str, ours: str) -> list[Piece]:
    return [Piece(f"{theirs}.{part}", f"{ours}.{part}") for part in ("weight", "bias")]


def copies(config: EncoderConfig) -> list[Piece]:
    """What is stored a second time: the decoder, which is the embedding, and its bias."""
    if not config.masked_head:
        return []
    ours = {piece.stored: piece.ours for piece in pieces(config)}
    return [Piece(copy, ours[original]) for copy, original in COPIES.items()]


def layouts(config: EncoderConfig) -> dict[str, str]:
    """Their name to ours of every layer's block layout; empty where the attention has none."""
    if config.sparse is None or config.sparse.kind != "deepspeed":
        return {}
    return {f"{LAYERS}{layer}{MASTER_LAYOUT}": f"layers.{layer}.attention.layout" for layer in range(config.num_layers)}


def computed(config: EncoderConfig) -> dict[str, Tensor]:
    """What published files hold although it follows from the config."""
    found = {POSITION_IDS: torch.arange(config.max_positions)[None]}
    if config.positions == "rotary":
        names = (f"{LAYERS}{layer}{INV_FREQ}" for layer in range(config.num_layers))
        found |= {name: frequencies(config.turned_dim, config.rope_theta) for name in names}
    return found


def frequencies(dim: int, base: float) -> Tensor:
    """Frequencies of rotary positions that turn ``dim`` dimensions, fp32, shape (dim / 2,)."""
    return 1.0 / base ** (torch.arange(0, dim, 2, dtype=torch.float32) / dim)
