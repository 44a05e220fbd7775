"""What the tensors of a BERT or BigBird checkpoint say of its architecture, and whether the config says the same.

A class that is built from the config alone drops what it has no place for and fills what is missing with noise; stock
BERT does so with every norm of GENA-LM. Here tensors and config have to agree, and the first contradiction is told.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from genolm.errors import ModelError
from genolm.models.adapters.encoders import gena
from genolm.models.adapters.encoders.gena_config import BERT, BIGBIRD, labels_of, told_labels
from genolm.models.adapters.pieces import Held
from genolm.models.networks.encoder_config import EncoderConfig

_LAYER = re.compile(re.escape(gena.LAYERS) + r"(\d+)\.")
_SAME = 1e-3  # frequencies may have been stored in half precision


class Settled(NamedTuple):
    """A checkpoint whose tensors agree with its config.

    Attributes:
        config: with the heads that the tensors have.
        weights: what the table of names speaks of: copies and computed values are left out.
        layouts: block layouts under our names.
        notes: what was knowingly dropped or chosen between.
    """

    config: EncoderConfig
    weights: dict[str, Held]
    layouts: dict[str, Held]
    notes: tuple[str, ...]


def settle(held: Mapping[str, Held], config: EncoderConfig, values: Mapping[str, Any], where: str) -> Settled:
    """Compare tensors and config.

    Args:
        held: the checkpoint's tensors.
        config: what the config alone says.
        values: ``config.json`` itself.
        where: named in errors.

    Raises:
        ModelError: the two contradict each other, or tensors contradict tensors; the reason is told.
    """
    for agree in (_depth, _rows, _norm_place, _final_norm, _positions, _numbers, _rotary, _sparse):
        agree(held, config, where)
    config = replace(config, **_heads(held, config, values, where))
    layouts = {ours: held[theirs] for theirs, ours in gena.layouts(config).items() if theirs in held}
    derived = {*gena.COPIES, *gena.computed(config), *gena.layouts(config)}
    weights = {name: stored for name, stored in held.items() if name not in derived}
    return Settled(config, weights, layouts, tuple(_notes(held, values, where)))


def _depth(held: Mapping[str, Held], config: EncoderConfig, where: str) -> None:
    layers = {int(found[1]) for name in held if (found := _LAYER.match(name))}
    if absent := sorted(set(range(max(layers, default=0))) - layers):
        raise ModelError(f"{where}: its layers are not contiguous: layer {absent[0]} has no tensors")
    if len(layers) != config.num_layers:
        raise ModelError(f"{where}: has tensors of {len(layers)} layers, its config asks for {config.num_layers}")


def _rows(held: Mapping[str, Held], config: EncoderConfig, where: str) -> None:
    rows = held[gena.EMBEDDING].shape[0] if gena.EMBEDDING in held else 0
    if rows > config.vocab_size:
        raise ModelError(
            f"{where}: {gena.EMBEDDING} has {rows} rows, {rows - config.vocab_size} more than the vocab_size"
            f" {config.vocab_size} of its config; rows for the memory of a recurrent model belong to that model"
        )


def _norm_place(held: Mapping[str, Held], config: EncoderConfig, where: str) -> None:
    before, after = (_first(held, parts) for parts in (gena.PRE_NORMS, gena.POST_NORMS))
    if before and after:
        raise ModelError(
            f"{where}: has norms before the blocks ({before}) and after them ({after}); one kind it must be"
        )
    if not before and not after:
        raise ModelError(f"{where}: its layers have no norms, neither pre_attention_ln nor attention.output.LayerNorm")
    found = "pre" if before else "post"
    if found != config.norm:
        raise ModelError(
            f"{where}: its norms stand {_PLACES[found]} ({before or after}), but its config says"
            f" {_PLACES[config.norm]} (pre_layer_norm {str(config.norm == 'pre').lower()});"
            " it would load into the wrong modules"
        )


def _first(held: Mapping[str, Held], parts: Sequence[str]) -> str | None:
    """A tensor inside a layer whose name has one of the parts in it."""
    names = sorted(name for name in held if _LAYER.match(name) and name.endswith("weight"))
    return next((name for part in parts for name in names if part in name), None)


_PLACES = {"pre": "before the blocks", "post": "after them"}


def _final_norm(held: Mapping[str, Held], config: EncoderConfig, where: str) -> None:
    there = gena.FINAL_NORM in held
    if there and not config.final_norm:
        raise ModelError(f"{where}: has a final norm ({gena.FINAL_NORM}), but its config says last_layer_norm false")
    if config.final_norm and not there:
        raise ModelError(
            f"{where}: has no final norm ({gena.FINAL_NORM}), but its config says last_layer_norm true"
            " (which an absent key means with pre_layer_norm)"
        )


def _positions(held: Mapping[str, Held], config: EncoderConfig, where: str) -> None:
    table = gena.POSITION_TABLE in held
    turned = next((name for name in held if name.endswith(gena.INV_FREQ)), None)
    if table and turned:
        raise ModelError(f"{where}: has a table of positions and rotary frequencies ({turned}); one kind it must be")
    if not table and not turned:
        raise ModelError(f"{where}: has neither a table of positions ({gena.POSITION_TABLE}) nor rotary frequencies")
    found = "absolute" if table else "rotary"
    if found != config.positions:
        raise ModelError(
            f"{where}: its positions are {found} ({gena.POSITION_TABLE if table else turned}), but its config says"
            f" position_embedding_type {config.positions}"
        )
    rows = held[gena.POSITION_TABLE].shape[0] if table else config.max_positions
    if rows != config.max_positions:
        raise ModelError(
            f"{where}: its table of positions has {rows} rows, but its config says max_position_embeddings"
            f" {config.max_positions}"
        )


def _numbers(held: Mapping[str, Held], config: EncoderConfig, where: str) -> None:
    """The stored numbers of positions; absent from files that newer programs wrote."""
    stored = held.get(gena.POSITION_IDS)
    if stored is not None and not torch.equal(stored.read().flatten().long(), torch.arange(config.max_positions)):
        raise ModelError(f"{where}: {gena.POSITION_IDS} is not 0 to {config.max_positions - 1} in order")


def _rotary(held: Mapping[str, Held], config: EncoderConfig, where: str) -> None:
    if config.positions != "rotary":
        return
    for layer in range(config.num_layers):
        name = f"{gena.LAYERS}{layer}{gena.INV_FREQ}"
        if name not in held:
            raise ModelError(f"{where}: lacks the tensor {name}")
        _frequencies(held[name].read().double(), config, f"{where}: {name}")


def _frequencies(found: Tensor, config: EncoderConfig, place: str) -> None:
    dim = 2 * found.numel()
    if dim != config.turned_dim:
        raise ModelError(f"{place} turns {dim} dimensions, but its config says rotary_dim {config.turned_dim}")
    expected = gena.frequencies(dim, config.rope_theta).double()
    if torch.allclose(found.flatten(), expected, rtol=_SAME, atol=0.0):
        return
    base = f"{float(found[1]) ** (-dim / 2):.6g}" if found.numel() > 1 else "another"
    raise ModelError(f"{place} has the base {base}, but its config says rotary_base {config.rope_theta:g}")


def _sparse(held: Mapping[str, Held], config: EncoderConfig, where: str) -> None:
    found = next((name for name in held if name.endswith(gena.MASTER_LAYOUT)), None)
    wanted = gena.layouts(config)
    if found and not wanted:
        raise ModelError(f"{where}: has block layouts ({found}), but its config has no sparse_attention")
    for name in wanted:
        if name not in held:
            raise ModelError(f"{where}: lacks the tensor {name}, which the sparse_attention of its config needs")
        _layout(held[name], config, f"{where}: {name}")


def _layout(stored: Held, config: EncoderConfig, place: str) -> None:
    shape, block = stored.shape, config.sparse.block if config.sparse else 1
    if len(shape) != 3 or shape[1] != shape[2]:
        raise ModelError(f"{place} is {list(shape)}, not a square of blocks for each head")
    if shape[0] != config.num_heads:
        raise ModelError(f"{place} has {shape[0]} heads, but its config says num_attention_heads {config.num_heads}")
    if shape[1] * block != config.max_positions:
        raise ModelError(
            f"{place} has {shape[1]} blocks, of {block} tokens by its config: {shape[1] * block} tokens, but"
            f" max_position_embeddings is {config.max_positions}"
        )


def _heads(held: Mapping[str, Held], config: EncoderConfig, values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Which heads there are, by their tensors."""
    poolers = [kind for kind, name in gena.POOLERS.items() if f"{name}.weight" in held]
    _pooler_of_the_kind(poolers, values, where)
    labels = held[f"{gena.CLASSIFIER}.weight"].shape[0] if f"{gena.CLASSIFIER}.weight" in held else 0
    heads: dict[str, Any] = {
        "masked_head": any(name.startswith("cls.predictions.") for name in held),
        "pooler": poolers[0] if poolers else "none",
        "sentence_head": f"{gena.SENTENCE}.weight" in held,
        "labels": labels,
    }
    if heads["sentence_head"] and not poolers:
        raise ModelError(f"{where}: has a sentence head ({gena.SENTENCE}.weight), but no pooler")
    return heads | ({"labels_of": _labels_of(values, labels, bool(poolers), where)} if labels else {})


def _pooler_of_the_kind(poolers: Sequence[str], values: Mapping[str, Any], where: str) -> None:
    """BERT's pooler is a module of its own, BigBird's a bare linear layer; the config has to say the same."""
    told = str(values.get("model_type", BERT))
    for kind in poolers:
        found = BIGBIRD if kind == "linear" else BERT
        if found != told:
            name = gena.POOLERS[kind]
            raise ModelError(f"{where}: its pooler is {name}, that of a {found}, but its config is a {told}")


def _labels_of(values: Mapping[str, Any], labels: int, pooled: bool, where: str) -> str:
    told = told_labels(values)
    if told not in (None, labels):
        raise ModelError(f"{where}: {gena.CLASSIFIER}.weight has {labels} labels, its config {told}")
    kind = labels_of(values) or ("sequence" if pooled else "token")
    if kind == "sequence" and not pooled:
        raise ModelError(f"{where}: labels of sequences are read from a pooler, and there is none")
    return kind


def _notes(held: Mapping[str, Held], values: Mapping[str, Any], where: str) -> Iterator[str]:
    for copy, original in gena.COPIES.items():
        if copy in held and original in held and not same(held[copy], held[original]):
            note = f"Its {copy} differs from {original}, which is used in its place, as the published class does."
            warnings.warn(f"{where}: {note}", stacklevel=2)
            yield note
    if values.get("sparse_config_cls"):
        yield f"Its config names the class {values['sparse_config_cls']}, which is not imported."
    if values.get("problem_type"):
        yield f"Fine-tuned for {values['problem_type']}."


def same(first: Held, second: Held) -> bool:
    """Whether two stored tensors hold the same values."""
    return first.shape == second.shape and torch.equal(first.read(), second.read())
