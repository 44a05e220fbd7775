"""Layouts of decoders: Hugging Face, Megatron-core and our own."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from genolm.errors import ModelError
from genolm.models.adapters.huggingface import huggingface
from genolm.models.adapters.megatron import megatron
from genolm.models.adapters.megatron.megatron_merge import drift
from genolm.models.adapters.pieces import Piece, SelectedTensors, StoredTensor, same
from genolm.models.networks.decoder_config import DecoderConfig

_HEADS = {
    "huggingface": (huggingface.HEAD, huggingface.EMBEDDING),
    "megatron": (megatron.HEAD, megatron.EMBEDDING),
    "genolm": ("head.weight", "embedding.weight"),
}
_DERIVED = {"huggingface": huggingface.DERIVED, "megatron": megatron.DERIVED}


def pieces(config: DecoderConfig, layout: str, names: Collection[str] = ()) -> list[Piece]:
    """Return the table of names of ``layout``, in the spelling of a checkpoint with the tensors ``names``."""
    return huggingface.pieces(config, names) if layout == "huggingface" else megatron.pieces(config, names)


def select(
    stored: Mapping[str, StoredTensor], config: DecoderConfig, layout: str, where: str
) -> SelectedTensors[DecoderConfig]:
    """Select the weights of a checkpoint: without values that follow from the config and unused Gengram modules.

    Raises:
        ModelError: the head differs from the embedding although the config ties them.
    """
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
