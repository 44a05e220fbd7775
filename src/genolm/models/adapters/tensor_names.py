"""Tensors of a network by the names of each layout: Hugging Face, Megatron-core and our own.

In the Hugging Face layout, encoders are BERT and BigBird, or ModernBERT, whose feed-forward blocks are gated.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from genolm.errors import ModelError
from genolm.models.adapters.configs import Layout
from genolm.models.adapters.encoders import gena_tensors, modernbert
from genolm.models.adapters.encoders.modernbert_config import is_modernbert
from genolm.models.adapters.huggingface import huggingface
from genolm.models.adapters.megatron import megatron
from genolm.models.adapters.megatron.megatron_merge import drift
from genolm.models.adapters.pieces import ExtraTensors, Piece, SelectedTensors, StoredTensor, same
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.encoder_config import EncoderConfig
from genolm.models.networks.network_config import NetworkConfig

_HEADS = {
    "huggingface": (huggingface.HEAD, huggingface.EMBEDDING),
    "megatron": (megatron.HEAD, megatron.EMBEDDING),
    "genolm": ("head.weight", "embedding.weight"),
}
_DERIVED = {"huggingface": huggingface.DERIVED, "megatron": megatron.DERIVED}


def pieces_of(
    config: NetworkConfig, layout: Layout, shapes: Mapping[str, tuple[int, ...]], names: Collection[str] = ()
) -> list[Piece]:
    """Return the table of names of a layout.

    Args:
        config: the network.
        layout: layout of the names.
        shapes: shape of each weight of the network.
        names: names in a checkpoint, for layouts with several spellings.

    Raises:
        ModelError: the layout cannot express the network.
    """
    if layout == "genolm":
        return [Piece(name, name) for name in shapes]
    if not isinstance(config, EncoderConfig):
        return huggingface.pieces(config, names) if layout == "huggingface" else megatron.pieces(config, names)
    if layout == "megatron":
        raise ModelError("the megatron layout holds decoders only; this is an encoder")
    return modernbert.pieces(config) if is_modernbert(config) else gena_tensors.pieces(config)


def extra_tensors(config: NetworkConfig, layout: Layout) -> ExtraTensors:
    """Return what the files of a layout hold in addition to the weights, which are there once."""
    if not isinstance(config, EncoderConfig):
        return ExtraTensors()
    if layout != "huggingface":
        return ExtraTensors(layouts={name: name for name in config.layout_shapes()})
    return ExtraTensors() if is_modernbert(config) else gena_tensors.extra_tensors(config)


def select(
    stored: Mapping[str, StoredTensor], config: NetworkConfig, layout: Layout, values: Mapping[str, Any], where: str
) -> SelectedTensors[Any]:
    """Select the weights and block layouts of a checkpoint and compare them with its config.

    Args:
        stored: tensors of the checkpoint.
        config: network described by the config alone.
        layout: layout of the names.
        values: ``config.json`` itself.
        where: name of the checkpoint in errors.

    Raises:
        ModelError: config and tensors contradict each other.
    """
    if isinstance(config, EncoderConfig):
        return _select_encoder(stored, config, layout, values, where)
    return _select_decoder(stored, config, layout, where)


def _select_decoder(
    stored: Mapping[str, StoredTensor], config: DecoderConfig, layout: Layout, where: str
) -> SelectedTensors[DecoderConfig]:
    """Select the weights of a decoder: without values that follow from its config and unused Gengram modules."""
    weights = {name: tensor for name, tensor in stored.items() if not name.endswith(_DERIVED.get(layout, ()))}
    notes: list[str | None] = []
    if layout == "megatron":
        weights, inactive = megatron.without_inactive(weights, config)
        notes += [inactive, drift(weights)]
    if config.tied:
        _drop_tied_head(weights, where, *_HEADS[layout])
    return SelectedTensors(config, weights, notes=tuple(note for note in notes if note))


def _drop_tied_head(weights: dict[str, StoredTensor], where: str, head: str, embedding: str) -> None:
    """Drop the head, which some programs write although it is the embedding."""
    copy, original = weights.pop(head, None), weights.get(embedding)
    if copy is not None and original is not None and not same(copy, original):
        raise ModelError(f"{where}: {head} differs from {embedding}, although the config ties them")


def _select_encoder(
    stored: Mapping[str, StoredTensor], config: EncoderConfig, layout: Layout, values: Mapping[str, Any], where: str
) -> SelectedTensors[EncoderConfig]:
    """Select the weights and block layouts of an encoder, whose layout is ``huggingface`` or ``genolm``."""
    if layout == "genolm":
        layouts = {name: stored[name] for name in config.layout_shapes() if name in stored}
        weights = {name: tensor for name, tensor in stored.items() if name not in layouts}
        selected = SelectedTensors(config, weights, layouts)
    elif is_modernbert(config):
        selected = SelectedTensors(config, modernbert.without_copy(stored, where))
    else:
        selected = gena_tensors.select(stored, config, values, where)
    _check_block_layouts(selected, where)
    return selected


def _check_block_layouts(selected: SelectedTensors[EncoderConfig], where: str) -> None:
    for name, shape in selected.config.layout_shapes().items():
        stored = selected.layouts.get(name)
        if stored is None:
            raise ModelError(f"{where}: missing block layout {name}")
        if stored.shape != shape:
            raise ModelError(f"{where}: {name} has the shape {list(stored.shape)}; its config expects {list(shape)}")
        layout_HCC = stored.read()
        if stored.dtype.is_floating_point or not set(layout_HCC.unique().tolist()) <= {0, 1}:
            raise ModelError(f"{where}: {name} must hold only the values 0 and 1")
        if not layout_HCC.diagonal(dim1=1, dim2=2).all():
            raise ModelError(f"{where}: {name} has rows that do not attend to their own block")
