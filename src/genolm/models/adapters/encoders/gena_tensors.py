"""Tensors of BERT as GENA-LM extends it, and of stock BigBird, which differs in the name of its pooler.

Published files hold more than weights: the masked-language decoder as a copy of the embedding, a copy of its bias,
position ids, rotary frequencies, and the layouts of DeepSpeed's block-sparse attention. On reading, the copies are
compared and dropped, ids and frequencies are checked and dropped, and the layouts are kept. All of them are written.

A class built from the config alone drops tensors that it has no module for and fills missing ones with random numbers;
stock BERT does so with every norm of GENA-LM. Here tensors and config must agree, and the first contradiction is an
error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from genolm.errors import ModelError
from genolm.models.adapters.encoders.gena_config import BERT, BIGBIRD, label_count, labels_of
from genolm.models.adapters.pieces import ExtraTensors, Piece, SelectedTensors, StoredTensor, same
from genolm.models.networks.encoder_config import EncoderConfig
from genolm.notes import note

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
_LAYER = re.compile(re.escape(LAYERS) + r"(\d+)\.")
_TOLERANCE = 1e-3  # frequencies may have been stored in half precision
_NORM_POSITIONS = {"pre": "before the blocks", "post": "after the blocks"}


def pieces(config: EncoderConfig) -> list[Piece]:
    """Return the weights of ``config`` under their published names, each once."""
    table = [Piece(f"bert.embeddings.{theirs}", f"embedding.{ours}") for theirs, ours in _EMBEDDING.items()]
    if config.positions == "absolute":
        table.append(Piece(POSITION_TABLE, "embedding.positions.weight"))
    for layer in range(config.num_layers):
        for theirs, ours in {**_LINEAR, **_NORMS[config.norm]}.items():
            table += _weight_and_bias(f"{LAYERS}{layer}.{theirs}", f"layers.{layer}.{ours}")
    if config.final_norm:
        table += _weight_and_bias(FINAL_NORM.removesuffix(".weight"), "norm")
    return [*table, *_head_pieces(config)]


def _head_pieces(config: EncoderConfig) -> Iterator[Piece]:
    if config.masked_head:
        for theirs, ours in _HEAD.items():
            yield from _weight_and_bias(theirs, ours)
        yield Piece("cls.predictions.bias", "head.bias")
    if config.pooler != "none":
        yield from _weight_and_bias(POOLERS[config.pooler], "pooler")
    if config.sentence_head:
        yield from _weight_and_bias(SENTENCE, "sentence")
    if config.labels:
        yield from _weight_and_bias(CLASSIFIER, "classifier")


def _weight_and_bias(theirs: str, ours: str) -> list[Piece]:
    return [Piece(f"{theirs}.{part}", f"{ours}.{part}") for part in ("weight", "bias")]


def extra_tensors(config: EncoderConfig) -> ExtraTensors:
    """Return the copies, block layouts and computed tensors of published files.

    Copies are the decoder, of the embedding, and its bias.
    """
    ours = {piece.stored: piece.ours for piece in pieces(config)}
    copies = [Piece(copy, ours[original]) for copy, original in COPIES.items()] if config.masked_head else []
    computed = {POSITION_IDS: torch.arange(config.max_positions)[None]}
    if config.positions == "rotary":
        names = (f"{LAYERS}{layer}{INV_FREQ}" for layer in range(config.num_layers))
        computed |= {name: frequencies(config.rotated_dim, config.rope_theta) for name in names}
    return ExtraTensors(copies, _layouts(config), computed)


def _layouts(config: EncoderConfig) -> dict[str, str]:
    if config.sparse is None or config.sparse.kind != "deepspeed":
        return {}
    return {f"{LAYERS}{layer}{MASTER_LAYOUT}": f"layers.{layer}.attention.layout" for layer in range(config.num_layers)}


def frequencies(dim: int, base: float) -> Tensor:
    """Return the frequencies of rotary positions over ``dim`` dimensions, fp32, shape (dim / 2,)."""
    return 1.0 / base ** (torch.arange(0, dim, 2, dtype=torch.float32) / dim)


def select(
    stored: Mapping[str, StoredTensor], config: EncoderConfig, values: Mapping[str, Any], where: str
) -> SelectedTensors[EncoderConfig]:
    """Compare the tensors of a checkpoint with its config and drop those that are not weights.

    Args:
        stored: tensors of the checkpoint.
        config: network described by the config alone.
        values: the config itself.
        where: name of the checkpoint in errors.

    Raises:
        ModelError: config and tensors, or two tensors, contradict each other.
    """
    for check in (_check_depth, _check_rows, _check_norms, _check_final_norm, _check_positions):
        check(stored, config, where)
    for check in (_check_position_ids, _check_rotary, _check_sparse):
        check(stored, config, where)
    config = replace(config, **_heads(stored, config, values, where))
    extra = extra_tensors(config)
    stored_layouts = {ours: stored[theirs] for theirs, ours in extra.layouts.items() if theirs in stored}
    derived = {*COPIES, *extra.computed, *extra.layouts}
    weights = {name: tensor for name, tensor in stored.items() if name not in derived}
    return SelectedTensors(config, weights, stored_layouts, tuple(_notes(stored, values, where)))


def _check_depth(stored: Mapping[str, StoredTensor], config: EncoderConfig, where: str) -> None:
    layers = {int(match[1]) for name in stored if (match := _LAYER.match(name))}
    if absent := sorted(set(range(max(layers, default=0))) - layers):
        raise ModelError(f"{where}: layers are not contiguous: layer {absent[0]} has no tensors")
    if len(layers) != config.num_layers:
        raise ModelError(f"{where}: has tensors of {len(layers)} layers; its config expects {config.num_layers}")


def _check_rows(stored: Mapping[str, StoredTensor], config: EncoderConfig, where: str) -> None:
    rows = stored[EMBEDDING].shape[0] if EMBEDDING in stored else 0
    if rows > config.vocab_size:
        raise ModelError(
            f"{where}: {EMBEDDING} has {rows} rows, {rows - config.vocab_size} more than the vocab_size"
            f" {config.vocab_size} of its config; rows for a recurrent memory belong to the recurrent model"
        )


def _check_norms(stored: Mapping[str, StoredTensor], config: EncoderConfig, where: str) -> None:
    before, after = (_first_in_layer(stored, parts) for parts in (PRE_NORMS, POST_NORMS))
    if before and after:
        raise ModelError(f"{where}: has norms both before the blocks ({before}) and after them ({after})")
    if not before and not after:
        raise ModelError(f"{where}: its layers have no norms, neither pre_attention_ln nor attention.output.LayerNorm")
    norm = "pre" if before else "post"
    if norm != config.norm:
        raise ModelError(
            f"{where}: has norms {_NORM_POSITIONS[norm]} ({before or after}), but its config expects them"
            f" {_NORM_POSITIONS[config.norm]} (pre_layer_norm {str(config.norm == 'pre').lower()});"
            " it would load into the wrong modules"
        )


def _first_in_layer(stored: Mapping[str, StoredTensor], parts: Sequence[str]) -> str | None:
    """Return the first weight inside a layer whose name contains one of ``parts``."""
    names = sorted(name for name in stored if _LAYER.match(name) and name.endswith("weight"))
    return next((name for part in parts for name in names if part in name), None)


def _check_final_norm(stored: Mapping[str, StoredTensor], config: EncoderConfig, where: str) -> None:
    present = FINAL_NORM in stored
    if present and not config.final_norm:
        raise ModelError(f"{where}: has a final norm ({FINAL_NORM}), but its config has last_layer_norm false")
    if config.final_norm and not present:
        raise ModelError(
            f"{where}: has no final norm ({FINAL_NORM}), but its config has last_layer_norm true"
            " (the default with pre_layer_norm)"
        )


def _check_positions(stored: Mapping[str, StoredTensor], config: EncoderConfig, where: str) -> None:
    table = POSITION_TABLE in stored
    rotary = next((name for name in stored if name.endswith(INV_FREQ)), None)
    if table and rotary:
        raise ModelError(f"{where}: has both a position table and rotary frequencies ({rotary})")
    if not table and not rotary:
        raise ModelError(f"{where}: has neither a position table ({POSITION_TABLE}) nor rotary frequencies")
    positions = "absolute" if table else "rotary"
    if positions != config.positions:
        raise ModelError(
            f"{where}: has {positions} positions ({POSITION_TABLE if table else rotary}), but its config has"
            f" position_embedding_type {config.positions}"
        )
    rows = stored[POSITION_TABLE].shape[0] if table else config.max_positions
    if rows != config.max_positions:
        raise ModelError(
            f"{where}: its position table has {rows} rows, but its config has max_position_embeddings"
            f" {config.max_positions}"
        )


def _check_position_ids(stored: Mapping[str, StoredTensor], config: EncoderConfig, where: str) -> None:
    """Check the stored position ids, which newer programs do not write."""
    ids = stored.get(POSITION_IDS)
    if ids is not None and not torch.equal(ids.read().flatten().long(), torch.arange(config.max_positions)):
        raise ModelError(f"{where}: {POSITION_IDS} must be 0 to {config.max_positions - 1} in order")


def _check_rotary(stored: Mapping[str, StoredTensor], config: EncoderConfig, where: str) -> None:
    if config.positions != "rotary":
        return
    for layer in range(config.num_layers):
        name = f"{LAYERS}{layer}{INV_FREQ}"
        if name not in stored:
            raise ModelError(f"{where}: missing tensor {name}")
        _check_frequencies(stored[name].read().double(), config, f"{where}: {name}")


def _check_frequencies(stored: Tensor, config: EncoderConfig, where: str) -> None:
    dim = 2 * stored.numel()
    if dim != config.rotated_dim:
        raise ModelError(f"{where} rotates {dim} dimensions, but its config has rotary_dim {config.rotated_dim}")
    expected = frequencies(dim, config.rope_theta).double()
    if torch.allclose(stored.flatten(), expected, rtol=_TOLERANCE, atol=0.0):
        return
    base = f"the base {float(stored[1]) ** (-dim / 2):.6g}" if stored.numel() > 1 else "another base"
    raise ModelError(f"{where} has {base}, but its config has rotary_base {config.rope_theta:g}")


def _check_sparse(stored: Mapping[str, StoredTensor], config: EncoderConfig, where: str) -> None:
    present = next((name for name in stored if name.endswith(MASTER_LAYOUT)), None)
    required = _layouts(config)
    if present and not required:
        raise ModelError(f"{where}: has block layouts ({present}), but its config has no sparse_attention")
    for name in required:
        if name not in stored:
            raise ModelError(f"{where}: missing tensor {name}, which its config requires (sparse_attention)")
        _check_layout_shape(stored[name].shape, config, f"{where}: {name}")


def _check_layout_shape(shape: tuple[int, ...], config: EncoderConfig, where: str) -> None:
    block = config.sparse.block if config.sparse else 1
    if len(shape) != 3 or shape[1] != shape[2]:
        raise ModelError(f"{where} has the shape {list(shape)}; expected a square of blocks for each head")
    if shape[0] != config.num_heads:
        raise ModelError(f"{where} has {shape[0]} heads, but its config has num_attention_heads {config.num_heads}")
    if shape[1] * block != config.max_positions:
        raise ModelError(
            f"{where} has {shape[1]} blocks of {block} tokens, {shape[1] * block} in all, but its config has"
            f" max_position_embeddings {config.max_positions}"
        )


def _heads(
    stored: Mapping[str, StoredTensor], config: EncoderConfig, values: Mapping[str, Any], where: str
) -> dict[str, Any]:
    """Return the fields of the config that say which heads the network has, as its tensors show."""
    poolers = [kind for kind, name in POOLERS.items() if f"{name}.weight" in stored]
    _check_pooler(poolers, values, where)
    labels = stored[f"{CLASSIFIER}.weight"].shape[0] if f"{CLASSIFIER}.weight" in stored else 0
    heads: dict[str, Any] = {
        "masked_head": any(name.startswith("cls.predictions.") for name in stored),
        "pooler": poolers[0] if poolers else "none",
        "sentence_head": f"{SENTENCE}.weight" in stored,
        "labels": labels,
    }
    if heads["sentence_head"] and not poolers:
        raise ModelError(f"{where}: has a sentence head ({SENTENCE}.weight), but no pooler")
    return heads | ({"labels_of": _label_kind(values, labels, bool(poolers), where)} if labels else {})


def _check_pooler(poolers: Sequence[str], values: Mapping[str, Any], where: str) -> None:
    """Check that the pooler is that of the config: a module in BERT, a bare linear layer in BigBird."""
    expected = str(values.get("model_type", BERT))
    for kind in poolers:
        model_type = BIGBIRD if kind == "linear" else BERT
        if model_type != expected:
            raise ModelError(
                f"{where}: its pooler is {POOLERS[kind]}, that of a {model_type}, but its config describes a {expected}"
            )


def _label_kind(values: Mapping[str, Any], labels: int, pooled: bool, where: str) -> str:
    expected = label_count(values)
    if expected not in (None, labels):
        raise ModelError(f"{where}: {CLASSIFIER}.weight has {labels} labels, its config {expected}")
    kind = labels_of(values) or ("sequence" if pooled else "token")
    if kind == "sequence" and not pooled:
        raise ModelError(f"{where}: sequence labels require a pooler, which is missing")
    return kind


def _notes(stored: Mapping[str, StoredTensor], values: Mapping[str, Any], where: str) -> Iterator[str]:
    for copy, original in COPIES.items():
        if copy in stored and original in stored and not same(stored[copy], stored[original]):
            remark = f"Its {copy} differs from {original}, which is used in its place, as the published class does."
            note(f"{where}: {remark}")
            yield remark
    if values.get("sparse_config_cls"):
        yield f"Its config names the class {values['sparse_config_cls']}, which is not imported."
    if values.get("problem_type"):
        yield f"Fine-tuned for {values['problem_type']}."
