"""Sources of conversions: a named model, a folder, a pickle or a Megatron checkpoint, opened as a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from genolm.errors import ModelError
from genolm.files.digests import file_sha256
from genolm.models.adapters.megatron.megatron_config import read_arguments
from genolm.models.adapters.megatron.megatron_folder import is_checkpoint
from genolm.models.adapters.megatron.megatron_gengram import read_memory
from genolm.models.adapters.megatron.megatron_merge import merge
from genolm.models.adapters.megatron.megatron_ranks import open_ranks
from genolm.models.adapters.pickles import pickle_in, read_weights
from genolm.models.adapters.pieces import MemoryTensor, Piece, StoredTensor
from genolm.models.adapters.tokenizer_files import read_tokenizer
from genolm.models.card import Card, read_card
from genolm.models.checkpoints.checkpoint import Checkpoint, match_folder, with_notes
from genolm.models.checkpoints.download import snapshot
from genolm.models.checkpoints.layouts import MatchedTensors, match_tensors
from genolm.models.checkpoints.load import load
from genolm.models.checkpoints.model_folder import Layout, ModelFolder, read_folder
from genolm.models.model import Model
from genolm.models.model_files import CONFIG
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.network import layout_shapes, tensor_shapes, tensors_of
from genolm.models.weight_shards import has_weights, read_shards
from genolm.models.zoo.zoo import find_model


def open_source(name: str | Path, layout: Layout | None = None, like: str | Path | None = None) -> Checkpoint:
    """Open a model to convert.

    Args:
        name: model name, model folder, hub id, or folder of a Megatron checkpoint. Weights in a pickle are read as
            plain data.
        layout: layout of the source; None detects it.
        like: name or folder of a model of the same shape, for what a Megatron checkpoint does not state.

    Raises:
        ModelError: the source does not exist, has another layout, or its config, weights or tokenizer cannot be used.
    """
    source = find_model(name)
    entry = source.entry if source.folder is None else None
    if entry is not None and (layout is not None or like is not None):
        raise ModelError(f"{name}: --from and --like are not applicable to a model known by name")
    if entry is not None and entry.seed is not None:
        return open_model(load(name, device="cpu"))
    path = source.local_folder() or snapshot(str(source.hub_id))
    shape = None if like is None else _shape_of(like)
    if layout in (None, "megatron") and is_checkpoint(path) and not has_weights(path):
        return _open_ranks(path, shape, like)
    if layout == "megatron" and shape is not None and not (path / CONFIG).is_file():
        return _open_bare(path, shape)
    folder = read_folder(path)
    tensors, notes = _tensors_in(path)
    if layout == "megatron" and folder.layout != "megatron" and isinstance(folder.network, DecoderConfig):
        folder = _as_megatron(folder, folder.network, tensors, shape)
    elif like is not None:
        raise ModelError(f"{path}: --like {like} is not applicable: the {folder.layout} config is complete")
    if layout not in (None, folder.layout):
        raise ModelError(f"{path}: has the layout {folder.layout}, not {layout}")
    checkpoint = match_folder(folder, tensors, source.entry)
    return replace(checkpoint, card=with_notes(checkpoint.card, notes))


def open_model(model: Model) -> Checkpoint:
    """Return a model in memory as a checkpoint."""
    tensors = {name: MemoryTensor(tensor) for name, tensor in tensors_of(model.network).items()}
    shapes = tensor_shapes(model.config)
    layouts = {name: tensors[name] for name in layout_shapes(model.config)}
    pieces = [Piece(name, name) for name in shapes]
    return Checkpoint(model.tokenizer, model.card, MatchedTensors(model.config, shapes, pieces, tensors, layouts))


def _shape_of(like: str | Path) -> DecoderConfig:
    source = find_model(like)
    if source.folder is not None:
        config = read_folder(source.folder).network
    elif source.entry is not None:
        config = source.entry.config or read_folder(source.entry.installed_folder()).network
    else:
        raise ModelError(f"{like}: --like must be a name of genolm models or a folder")
    if not isinstance(config, DecoderConfig):
        raise ModelError(f"{like}: --like must name a decoder, as Megatron checkpoints are; this is an encoder")
    return config


def _tensors_in(folder: Path) -> tuple[Mapping[str, StoredTensor], tuple[str, ...]]:
    """Return the tensors of a folder, and a note if they are a pickle."""
    pickle = None if has_weights(folder) else pickle_in(folder)
    if pickle is None:
        return read_shards(folder), ()
    note = f"Converted from the pickle {pickle.name}, sha256 {file_sha256(pickle)}, read as plain data."
    return read_weights(pickle), (note,)


def _as_megatron(
    folder: ModelFolder, network: DecoderConfig, tensors: Mapping[str, StoredTensor], shape: DecoderConfig | None
) -> ModelFolder:
    """Return a folder whose tensors have the names of Megatron although its config is that of another program."""
    like = network.gengram or (None if shape is None else shape.gengram)
    memory = read_memory({}, tensors, str(folder.path), like)
    return replace(folder, network=replace(network, gengram=memory), layout="megatron")


def _open_bare(path: Path, shape: DecoderConfig) -> Checkpoint:
    """Open safetensors with the names of Megatron that come without a config."""
    stored = read_shards(path)
    config = read_arguments({}, stored, str(path), shape)
    tensors = match_tensors(stored, config, "megatron", str(path))
    card = read_card(path) or Card(path.resolve().name, family="megatron", precision=_precision(tensors))
    named = replace(card, context=card.context or config.max_positions)
    return Checkpoint(read_tokenizer(path, config), with_notes(named, tensors.notes), tensors)


def _precision(tensors: MatchedTensors) -> str:
    return str(tensors.stored[tensors.pieces[0].stored].dtype).removeprefix("torch.")


def _open_ranks(path: Path, shape: DecoderConfig | None, like: str | Path | None) -> Checkpoint:
    """Open a Megatron checkpoint: one pickle for each rank, with the arguments of the run."""
    ranks = open_ranks(path)
    stored = merge(ranks)
    config = read_arguments(ranks.arguments, stored, str(ranks.folder), shape)
    tensors = match_tensors(stored, config, "megatron", str(ranks.folder))
    card = read_card(path) or Card(path.resolve().name, family="megatron", precision=_precision(tensors))
    tensor, pipeline, expert = ranks.sizes
    notes = [
        f"Converted from the Megatron checkpoint {ranks.folder.name} of {tensor} tensor-, {pipeline} pipeline- and"
        f" {expert} expert-parallel ranks."
    ]
    if like is not None:
        notes.append(f"What its arguments do not say is taken from {like}.")
    if config.gengram is not None:
        state = "on" if config.gengram.conv_kernel else "off"
        notes.append(f"The short convolution of Gengram is {state}, as the checkpoint's tensors say.")
    named = replace(card, context=card.context or config.max_positions, notes=(*card.notes, *notes))
    return Checkpoint(read_tokenizer(path, config), with_notes(named, tensors.notes), tensors)
