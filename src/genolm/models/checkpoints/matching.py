"""Tensors of a checkpoint in any layout, matched to those of a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from genolm.models.adapters.configs import Layout
from genolm.models.adapters.pieces import Piece, StoredTensor, check_pieces
from genolm.models.adapters.tensor_names import pieces_of, select
from genolm.models.networks.network import tensor_shapes
from genolm.models.networks.network_config import NetworkConfig

Shapes = Mapping[str, tuple[int, ...]]
_WRAPPERS = ("module.", "_orig_mod.")  # DistributedDataParallel, torch.compile


@dataclass(frozen=True, slots=True)
class MatchedTensors:
    """Tensors of a checkpoint that match its config.

    Attributes:
        config: config with the heads that the tensors have.
        shapes: shape of each of our weights.
        pieces: location of each part of our weights.
        stored: stored tensors that the pieces refer to.
        layouts: block layouts of sparse attention, by our names.
        notes: remarks on what was left out or chosen.
    """

    config: NetworkConfig
    shapes: Shapes
    pieces: list[Piece]
    stored: Mapping[str, StoredTensor]
    layouts: Mapping[str, StoredTensor]
    notes: tuple[str, ...] = ()


def match_tensors(
    stored: Mapping[str, StoredTensor],
    config: NetworkConfig,
    layout: Layout,
    where: str,
    values: Mapping[str, Any] | None = None,
) -> MatchedTensors:
    """Match stored tensors to those of a network: none missing, none unexpected, every shape as expected.

    Args:
        stored: tensors of the checkpoint.
        config: network described by the config alone.
        layout: layout of the tensors.
        where: name of the checkpoint in errors.
        values: ``config.json`` itself, for what it says about heads.

    Raises:
        ModelError: tensors do not match, or config and tensors contradict each other.
    """
    stored, wrapper = _without_wrapper(stored)
    selected = select(stored, config, layout, values or {}, where)
    shapes = tensor_shapes(selected.config)
    pieces = pieces_of(selected.config, layout, shapes, selected.weights)
    check_pieces(pieces, selected.weights, shapes, where)
    notes = (f"The names of its tensors begin with {wrapper}, which was left out.",) if wrapper else ()
    return MatchedTensors(
        selected.config, shapes, pieces, selected.weights, selected.layouts, (*notes, *selected.notes)
    )


def _without_wrapper(stored: Mapping[str, StoredTensor]) -> tuple[Mapping[str, StoredTensor], str]:
    """Remove the prefixes of DistributedDataParallel and torch.compile; return the tensors and the prefix."""
    prefix = ""
    while stored and (
        wrapper := next((word for word in _WRAPPERS if all(name.startswith(word) for name in stored)), "")
    ):
        stored = {name.removeprefix(wrapper): tensor for name, tensor in stored.items()}
        prefix += wrapper
    return stored, prefix
