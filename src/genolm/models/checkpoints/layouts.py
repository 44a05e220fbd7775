"""Where each of our tensors stands in the files of a model folder, whichever layout it is in."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from genolm.errors import ModelError
from genolm.models.adapters.encoders import encoders
from genolm.models.adapters.encoders.gena_tensors import Settled
from genolm.models.adapters.huggingface import huggingface
from genolm.models.adapters.megatron import megatron
from genolm.models.adapters.megatron.megatron_merge import drift
from genolm.models.adapters.pieces import Held, Piece, check
from genolm.models.card import read_json
from genolm.models.checkpoints.config_file import CONFIG, Layout
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.encoder_config import EncoderConfig
from genolm.models.networks.network import layout_shapes, tensor_shapes
from genolm.models.networks.network_config import NetworkConfig
from genolm.models.weight_shards import read_shards

_HEADS = {
    "huggingface": (huggingface.HEAD, huggingface.EMBEDDING),
    "megatron": (megatron.HEAD, megatron.EMBEDDING),
    "genolm": ("head.weight", "embedding.weight"),
}
_WRAPPERS = ("module.", "_orig_mod.")
_DERIVED = {"huggingface": huggingface.DERIVED, "megatron": megatron.DERIVED}


@dataclass(frozen=True, slots=True)
class Fitted:
    """A checkpoint that fits its config.

    Attributes:
        config: with the heads that the tensors have.
        pieces: where each part of our weights stands.
        held: what the pieces speak of.
        layouts: the block layouts, by our names.
        notes: what was knowingly left out or chosen between.
    """

    config: NetworkConfig
    pieces: list[Piece]
    held: dict[str, Held]
    layouts: dict[str, Held]
    notes: tuple[str, ...]


def pieces_of(config: NetworkConfig, layout: Layout, names: Collection[str] = ()) -> list[Piece]:
    """The table of names of ``layout``, spelt as a checkpoint that holds ``names`` spells it."""
    if layout == "genolm":
        return [Piece(name, name) for name in tensor_shapes(config)]
    if isinstance(config, EncoderConfig):
        if layout == "megatron":
            raise ModelError("the megatron layout holds decoders only; this is an encoder")
        return encoders.pieces(config)
    return huggingface.pieces(config, names) if layout == "huggingface" else megatron.pieces(config, names)


def open_weights(folder: Path, config: NetworkConfig, layout: Layout) -> Fitted:
    """The tensors of ``folder``, checked against the config: none missing, none left over, every shape right.

    Raises:
        ModelError: naming the tensors that do not fit, the file that is missing or damaged, or the reason why config
            and tensors are not of the same network.
    """
    values = read_json(folder / CONFIG) if (folder / CONFIG).is_file() else {}
    return fit(read_shards(folder), config, layout, str(folder), values)


def fit(
    held: Mapping[str, Held], config: NetworkConfig, layout: Layout, where: str, values: Mapping[str, Any] | None = None
) -> Fitted:
    """Tensors by name, checked against the config as by :func:`open_weights`.

    Args:
        held: the tensors.
        config: what they should be.
        layout: what they are in.
        where: named in errors.
        values: ``config.json`` itself, for what it says of heads.
    """
    held, wrapper = _unwrapped(held)
    notes = [f"The names of its tensors begin with {wrapper}, which was left out."] if wrapper else []
    if isinstance(config, EncoderConfig):
        fitted = _fit_encoder(held, config, layout, where, values or {})
        return replace(fitted, notes=(*notes, *fitted.notes))
    return _fit_decoder(held, config, layout, where, notes)


def _unwrapped(held: Mapping[str, Held]) -> tuple[Mapping[str, Held], str]:
    """The tensors without what DistributedDataParallel and torch.compile put before every name, and that."""
    wrapper = ""
    while held and (found := next((one for one in _WRAPPERS if all(name.startswith(one) for name in held)), "")):
        held = {name.removeprefix(found): stored for name, stored in held.items()}
        wrapper += found
    return held, wrapper


def _fit_decoder(
    held: Mapping[str, Held], config: DecoderConfig, layout: Layout, where: str, told: Sequence[str]
) -> Fitted:
    kept = {name: stored for name, stored in held.items() if not name.endswith(_DERIVED.get(layout, ()))}
    notes: list[str | None] = [*told]
    if layout == "megatron":
        kept, left_out = megatron.without_inactive(kept, config)
        notes += [left_out, drift(kept)]
    if config.tied:
        _drop_tied_head(kept, where, *_HEADS[layout])
    pieces = pieces_of(config, layout, kept)
    check(pieces, kept, tensor_shapes(config), where)
    return Fitted(config, pieces, kept, {}, tuple(note for note in notes if note))


def _fit_encoder(
    held: Mapping[str, Held], config: EncoderConfig, layout: Layout, where: str, values: Mapping[str, Any]
) -> Fitted:
    if layout == "huggingface":
        settled = encoders.settle(held, config, values, where)
    else:
        stored = layout_shapes(config)
        weights = {name: tensor for name, tensor in held.items() if name not in stored}
        settled = Settled(config, weights, {name: held[name] for name in stored if name in held}, ())
    pieces = pieces_of(settled.config, layout)
    check(pieces, settled.weights, tensor_shapes(settled.config), where)
    _check_layouts(settled, where)
    return Fitted(settled.config, pieces, settled.weights, settled.layouts, settled.notes)


def _check_layouts(settled: Settled, where: str) -> None:
    for name, shape in layout_shapes(settled.config).items():
        stored = settled.layouts.get(name)
        if stored is None:
            raise ModelError(f"{where}: lacks the block layout {name}")
        if stored.shape != shape:
            raise ModelError(f"{where}: {name} is {list(stored.shape)} where its config asks for {list(shape)}")
        layout_HCC = stored.read()
        if stored.dtype.is_floating_point or not set(layout_HCC.unique().tolist()) <= {0, 1}:
            raise ModelError(f"{where}: {name} holds other values than 0 and 1")
        if not layout_HCC.diagonal(dim1=1, dim2=2).all():
            raise ModelError(f"{where}: {name} has rows that do not attend to their own block")


def _drop_tied_head(held: dict[str, Held], where: str, head: str, embedding: str) -> None:
    """Some writers store the shared tensor twice; a copy that differs means that the config is wrong."""
    copy, original = held.pop(head, None), held.get(embedding)
    if copy is None or original is None:
        return
    if copy.shape != original.shape or not torch.equal(copy.read(), original.read()):
        raise ModelError(f"{where}: {head} differs from {embedding}, although the config ties the two")
