"""Tensors of Mixtral, Mistral and Llama decoders in the Hugging Face layout.

Three spellings are read. ``hub``, that of published files, is also written: one tensor per expert matrix under
``block_sparse_moe``. ``fused`` is the module tree of recent transformers, found in folders saved directly from it:
experts are stacked as ``mlp.experts.gate_up_proj``, in the same way as ours. ``dense`` has ``mlp``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from genolm.models.adapters.pieces import Piece
from genolm.models.networks.decoder_config import DecoderConfig

# Tensors of some published files that follow from the config; dropped on reading, never written.
DERIVED = (".rotary_emb.inv_freq",)
HEAD = "lm_head.weight"
EMBEDDING = "model.embed_tokens.weight"

_LAYER = {
    "input_layernorm": "attention_norm",
    "self_attn.q_proj": "attention.query",
    "self_attn.k_proj": "attention.key",
    "self_attn.v_proj": "attention.value",
    "self_attn.o_proj": "attention.output",
    "post_attention_layernorm": "ffn_norm",
}
_DENSE = {"mlp.gate_proj": "ffn.gate", "mlp.up_proj": "ffn.up", "mlp.down_proj": "ffn.down"}


def pieces(config: DecoderConfig, names: Collection[str] = ()) -> list[Piece]:
    """Return the names of our weights in a checkpoint with the tensors ``names``; by default in the hub's spelling."""
    fused = any(name.endswith(".mlp.experts.gate_up_proj") for name in names)
    table = [Piece(EMBEDDING, "embedding.weight")]
    for layer in range(config.num_layers):
        table += _layer(config, f"model.layers.{layer}", f"layers.{layer}", fused)
    table.append(Piece("model.norm.weight", "norm.weight"))
    return table if config.tied else [*table, Piece(HEAD, "head.weight")]


def _layer(config: DecoderConfig, theirs: str, ours: str, fused: bool) -> Iterator[Piece]:
    plain = _LAYER if config.num_experts else {**_LAYER, **_DENSE}
    for stored, name in plain.items():
        yield Piece(f"{theirs}.{stored}.weight", f"{ours}.{name}.weight")
    if config.num_experts and fused:
        yield Piece(f"{theirs}.mlp.gate.weight", f"{ours}.ffn.router.weight")
        yield Piece(f"{theirs}.mlp.experts.gate_up_proj", f"{ours}.ffn.gate_up")
        yield Piece(f"{theirs}.mlp.experts.down_proj", f"{ours}.ffn.down")
    elif config.num_experts:
        yield from _experts(config, f"{theirs}.block_sparse_moe", f"{ours}.ffn")


def _experts(config: DecoderConfig, theirs: str, ours: str) -> Iterator[Piece]:
    inner = config.ffn_size
    yield Piece(f"{theirs}.gate.weight", f"{ours}.router.weight")
    for expert in range(config.num_experts):
        yield Piece(f"{theirs}.experts.{expert}.w1.weight", f"{ours}.gate_up", (expert, slice(0, inner)))
        yield Piece(f"{theirs}.experts.{expert}.w3.weight", f"{ours}.gate_up", (expert, slice(inner, 2 * inner)))
        yield Piece(f"{theirs}.experts.{expert}.w2.weight", f"{ours}.down", (expert,))
