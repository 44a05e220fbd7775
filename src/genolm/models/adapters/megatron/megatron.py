"""Tensors of the Megatron-core layout, as stored by one process without parallelism.

Attention stores query, key and value as one tensor, group by group: the query heads of a key-value head, its key, its
value. SwiGLU stores gate before up. All spellings of Megatron-core are read: separate norms, or norms fused into the
linear layer that follows them (transformer engine), experts one by one, as numbered weights of one grouped layer, or
in two transposed tensors. The spelling of transformer engine with experts one by one is written.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from genolm.errors import ModelError
from genolm.models.adapters.pieces import Piece, StoredTensor, Within
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.remedies import Remedy

EMBEDDING = "embedding.word_embeddings.weight"
HEAD = "output_layer.weight"
# State of quantised kernels and the rotary table are not weights. Dropped on reading, never written.
DERIVED = ("._extra_state", "rotary_pos_emb.inv_freq")

_FUSED_NORM = "self_attention.linear_qkv.layer_norm_weight"
_FUSED_FFN_NORM = "mlp.linear_fc1.layer_norm_weight"
_GENGRAM = {
    "key_proj.weight": "key.weight",
    "value_proj.weight": "value.weight",
    "norm_q.weight": "query_norm.weight",
    "norm_k.weight": "key_norm.weight",
}
_CONV = ("short_conv.conv.weight", "conv.weight")
_GENGRAM_TENSOR = re.compile(r"decoder\.layers\.(\d+)\.gengram\..+")


def pieces(config: DecoderConfig, names: Collection[str] = ()) -> list[Piece]:
    """Return the names of our weights in a checkpoint with the tensors ``names``; by default in the spelling we write.

    Raises:
        ModelError: the layout cannot express the decoder.
    """
    refuse_inexpressible(config)
    table = [Piece(EMBEDDING, "embedding.weight")]
    for layer in range(config.num_layers):
        table += _layer(config, layer, names)
    table.append(Piece("decoder.final_layernorm.weight", "norm.weight"))
    return table if config.tied else [*table, Piece(HEAD, "head.weight")]


def refuse_inexpressible(config: DecoderConfig) -> None:
    """Raise an error if neither Megatron-core nor the released Gengram module computes the decoder.

    Raises:
        ModelError: the decoder has a k-mer table, or a Gengram memory with another gate, hashed tables or no window.
    """
    memory = config.gengram
    part = None
    if config.kmer_orders:
        part = "a k-mer table"
    elif memory is not None and memory.gate != "signed-root":
        part = f"a Gengram gate {memory.gate!r}"
    elif memory is not None and any(memory.hashed(order) for order in memory.orders):
        part = "a hashed Gengram table"
    elif memory is not None and memory.window < memory.longest:
        part = "a Gengram memory without a window"
    if part is not None:
        raise ModelError(
            f"{part} cannot be expressed in the megatron layout",
            code="unsupported-by-model",
            remedy=Remedy("to", "genolm", "use a layout that can"),
        )


def without_inactive(
    stored: Mapping[str, StoredTensor], config: DecoderConfig
) -> tuple[dict[str, StoredTensor], str | None]:
    """Return the checkpoint without the Gengram modules of layers that do not use them, and a note on those left out.

    The released code makes a module in every layer, and saves also those that it never calls.
    """
    if config.gengram is None:
        return dict(stored), None
    idle = {name: layer for name in stored if (layer := memory_layer(name)) and layer not in config.gengram.layers}
    kept = {name: tensor for name, tensor in stored.items() if name not in idle}
    if not idle:
        return kept, None
    values = sum(_count(stored[name].shape) for name in idle)
    layers = ", ".join(map(str, sorted(set(idle.values()))))
    return (
        kept,
        f"Left out: {len(idle)} tensors ({values:,} values) of Gengram modules in layers that skip them, {layers}.",
    )


def memory_layer(name: str) -> int | None:
    """Return the layer of a Gengram tensor, counted from 1; None for other names."""
    match = _GENGRAM_TENSOR.fullmatch(name)
    return int(match[1]) + 1 if match else None


def _count(shape: tuple[int, ...]) -> int:
    total = 1
    for size in shape:
        total *= size
    return total


def _layer(config: DecoderConfig, layer: int, names: Collection[str]) -> Iterator[Piece]:
    theirs, ours = f"decoder.layers.{layer}", f"layers.{layer}"
    if config.gengram is not None and layer + 1 in config.gengram.layers:
        yield from memory_pieces(config, f"{theirs}.gengram", f"{ours}.gengram")
    plain_norm = f"{theirs}.input_layernorm.weight"
    yield Piece(plain_norm if plain_norm in names else f"{theirs}.{_FUSED_NORM}", f"{ours}.attention_norm.weight")
    yield from _attention(config, f"{theirs}.self_attention", f"{ours}.attention")
    if config.num_experts:
        yield Piece(f"{theirs}.pre_mlp_layernorm.weight", f"{ours}.ffn_norm.weight")
        yield Piece(f"{theirs}.mlp.router.weight", f"{ours}.ffn.router.weight")
        yield from _experts(config, f"{theirs}.mlp.experts", f"{ours}.ffn", names)
    else:
        plain_norm = f"{theirs}.pre_mlp_layernorm.weight"
        yield Piece(plain_norm if plain_norm in names else f"{theirs}.{_FUSED_FFN_NORM}", f"{ours}.ffn_norm.weight")
        yield from _dense(config, f"{theirs}.mlp", f"{ours}.ffn")


def memory_pieces(config: DecoderConfig, theirs: str, ours: str) -> Iterator[Piece]:
    """Yield the pieces of one layer's Gengram memory."""
    assert config.gengram is not None
    for table in range(len(config.gengram.orders)):
        yield Piece(f"{theirs}.embeddings.{table}.weight", f"{ours}.tables.{table}.weight")
    names = {**_GENGRAM, **({_CONV[0]: _CONV[1]} if config.gengram.conv_kernel else {})}
    for stored, name in names.items():
        yield Piece(f"{theirs}.{stored}", f"{ours}.{name}")


def _attention(config: DecoderConfig, theirs: str, ours: str) -> Iterator[Piece]:
    queries = config.num_heads // config.num_kv_heads
    rows = config.num_kv_heads * (queries + 2) * config.head_dim
    shape = (rows, config.hidden_size)
    view = (config.num_kv_heads, queries + 2, config.head_dim, config.hidden_size)
    parts: dict[str, int | slice] = {"query": slice(0, queries), "key": queries, "value": queries + 1}
    for name, heads in parts.items():
        within = Within(shape, view, (slice(None), heads))
        yield Piece(f"{theirs}.linear_qkv.weight", f"{ours}.{name}.weight", within=within)
    yield Piece(f"{theirs}.linear_proj.weight", f"{ours}.output.weight")


def _dense(config: DecoderConfig, theirs: str, ours: str) -> Iterator[Piece]:
    shape = (2 * config.ffn_size, config.hidden_size)
    for name, start in (("gate", 0), ("up", config.ffn_size)):
        within = Within(shape, shape, (slice(start, start + config.ffn_size),))
        yield Piece(f"{theirs}.linear_fc1.weight", f"{ours}.{name}.weight", within=within)
    yield Piece(f"{theirs}.linear_fc2.weight", f"{ours}.down.weight")


def _experts(config: DecoderConfig, theirs: str, ours: str, names: Collection[str]) -> Iterator[Piece]:
    if f"{theirs}.weight1" in names:
        yield from _stacked(config, theirs, ours)
        return
    numbered = f"{theirs}.linear_fc1.weight0" in names
    for expert in range(config.num_experts):
        for stored, name in (("linear_fc1", "gate_up"), ("linear_fc2", "down")):
            one = f"{stored}.weight{expert}" if numbered else f"local_experts.{expert}.{stored}.weight"
            yield Piece(f"{theirs}.{one}", f"{ours}.{name}", (expert,))


def _stacked(config: DecoderConfig, theirs: str, ours: str) -> Iterator[Piece]:
    """Yield the pieces of all experts in two tensors, which hold the transposed matrices of each expert in turn."""
    count, wide, inner = config.num_experts, config.hidden_size, config.ffn_size
    first = Within((wide, count * 2 * inner), (count, wide, 2 * inner), transposed=True)
    second = Within((count * inner, wide), (count, inner, wide), transposed=True)
    yield Piece(f"{theirs}.weight1", f"{ours}.gate_up", within=first)
    yield Piece(f"{theirs}.weight2", f"{ours}.down", within=second)
