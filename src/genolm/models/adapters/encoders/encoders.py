"""Hugging Face layouts of encoders: BERT and BigBird, or ModernBERT, whose feed-forward blocks are gated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from genolm.errors import ModelError
from genolm.models.adapters.encoders import gena_tensors, modernbert
from genolm.models.adapters.encoders.modernbert_config import is_modernbert
from genolm.models.adapters.pieces import Piece, SelectedTensors, StoredTensor
from genolm.models.networks.encoder_config import EncoderConfig
from genolm.models.networks.network import layout_shapes


def pieces(config: EncoderConfig) -> list[Piece]:
    """Return the weights of ``config`` under their published names, each once."""
    return modernbert.pieces(config) if is_modernbert(config) else gena_tensors.pieces(config)


def select(
    stored: Mapping[str, StoredTensor], config: EncoderConfig, layout: str, values: Mapping[str, Any], where: str
) -> SelectedTensors[EncoderConfig]:
    """Select the weights and block layouts of a checkpoint and compare them with its config.

    Args:
        stored: tensors of the checkpoint.
        config: network described by the config alone.
        layout: layout of the names, ``huggingface`` or ``genolm``.
        values: the config itself.
        where: name of the checkpoint in errors.

    Raises:
        ModelError: config and tensors contradict each other.
    """
    if layout == "genolm":
        layouts = {name: stored[name] for name in layout_shapes(config) if name in stored}
        weights = {name: tensor for name, tensor in stored.items() if name not in layouts}
        selected = SelectedTensors(config, weights, layouts)
    elif is_modernbert(config):
        selected = SelectedTensors(config, modernbert.without_copy(stored, where))
    else:
        selected = gena_tensors.select(stored, config, values, where)
    _check_block_layouts(selected, where)
    return selected


def _check_block_layouts(selected: SelectedTensors[EncoderConfig], where: str) -> None:
    for name, shape in layout_shapes(selected.config).items():
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


def copies(config: EncoderConfig) -> list[Piece]:
    """Return the weights that published files hold a second time."""
    return [] if is_modernbert(config) else gena_tensors.copies(config)


def layouts(config: EncoderConfig) -> dict[str, str]:
    """Return our name of each layer's block layout by its published name."""
    return {} if is_modernbert(config) else gena_tensors.layouts(config)


def computed(config: EncoderConfig) -> dict[str, Tensor]:
    """Return the tensors of published files that follow from the config."""
    return {} if is_modernbert(config) else gena_tensors.computed(config)
