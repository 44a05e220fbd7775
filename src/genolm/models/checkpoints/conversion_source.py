"""Sources of conversions: a named model, a folder, a pickle or a Megatron checkpoint, opened as a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from genolm.errors import ModelError
from genolm.files.digests import file_sha256
from genolm.models.adapters.configs import Layout
from genolm.models.adapters.megatron.megatron_config import read_arguments, read_memory
from genolm.models.adapters.megatron.megatron_folder import is_checkpoint
from genolm.models.adapters.megatron.megatron_merge import merge
from genolm.models.adapters.megatron.megatron_ranks import Ranks, open_ranks
from genolm.models.adapters.pickles import pickle_in, read_weights
from genolm.models.adapters.pieces import StoredTensor
from genolm.models.adapters.tokenizer_files import read_tokenizer
from genolm.models.card import Card, read_card
from genolm.models.checkpoints.adapted import adapt
from genolm.models.checkpoints.adapter_source import split_adapter
from genolm.models.checkpoints.checkpoint import Checkpoint, match_folder
from genolm.models.checkpoints.download import fetch_model
from genolm.models.checkpoints.matching import match_tensors
from genolm.models.checkpoints.model_folder import read_folder
from genolm.models.model_files import CONFIG
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.random_weights import random_network
from genolm.models.weight_shards import has_weights, read_shards
from genolm.models.zoo.zoo import ModelSource, find_model


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
    source, adapter = split_adapter(find_model(name))
    if adapter is None:
        return _open(name, source, layout, like)
    return adapt(_open(name, source, layout, like), adapter)


def _open(name: str | Path, source: ModelSource, layout: Layout | None, like: str | Path | None) -> Checkpoint:
    entry = source.entry if source.folder is None else None
    if entry is not None and (layout is not None or like is not None):
        raise ModelError(
            f"{name}: a source layout and a similar model apply to checkpoints only, not to a model known by name",
            code="inapplicable-argument",
        )
    if entry is not None and entry.seed is not None and entry.config is not None:
        tokenizer = entry.random_tokenizer()
        network = random_network(entry.config, entry.seed, tokenizer.base_ids, tokenizer.n_id)
        return Checkpoint.of_network(network, tokenizer, entry.card)
    path = fetch_model(source)
    shape = None if like is None else _shape_of(like)
    weights = has_weights(path)
    ranks = open_ranks(path) if layout in (None, "megatron") and is_checkpoint(path) and not weights else None
    without_config = layout == "megatron" and shape is not None and not (path / CONFIG).is_file()
    if ranks is not None or without_config:
        return _open_megatron(path, ranks, shape, like)
    folder = read_folder(path)
    pickle = None if weights else pickle_in(path)
    tensors: Mapping[str, StoredTensor] = read_weights(pickle) if pickle else read_shards(path)
    if layout == "megatron" and folder.layout != "megatron" and isinstance(folder.network, DecoderConfig):
        # The tensors have the names of Megatron although the config is that of another program.
        known = folder.network.gengram or (None if shape is None else shape.gengram)
        memory = read_memory({}, tensors, str(path), known)
        folder = replace(folder, network=replace(folder.network, gengram=memory), layout="megatron")
    elif like is not None:
        raise ModelError(
            f"{path}: the similar model {like} is not applicable: the {folder.layout} config is complete",
            code="inapplicable-argument",
        )
    if layout not in (None, folder.layout):
        raise ModelError(f"{path}: has the layout {folder.layout}, not {layout}")
    checkpoint = match_folder(folder, tensors, source.entry)
    if pickle is None:
        return checkpoint
    note = f"Converted from the pickle {pickle.name}, sha256 {file_sha256(pickle)}, read as plain data."
    return replace(checkpoint, card=checkpoint.card.with_notes((note,)))


def _shape_of(like: str | Path) -> DecoderConfig:
    source = find_model(like)
    if source.folder is not None:
        config = read_folder(source.folder).network
    elif source.entry is not None:
        config = source.entry.config or read_folder(source.entry.installed_folder()).network
    else:
        raise ModelError(f"{like}: the similar model must be a name of genolm models or a folder", code="unknown-model")
    if not isinstance(config, DecoderConfig):
        raise ModelError(
            f"{like}: the similar model must be a decoder, as Megatron checkpoints are; this is an encoder"
        )
    return config


def _open_megatron(path: Path, ranks: Ranks | None, shape: DecoderConfig | None, like: str | Path | None) -> Checkpoint:
    """Open tensors with the names of Megatron that come without a ``config.json``.

    Args:
        path: folder of the checkpoint.
        ranks: one pickle for each rank, with the arguments of the run; None for safetensors without arguments.
        shape: config of a model of the same shape, for what the checkpoint does not state.
        like: name of that model.
    """
    where = str(path if ranks is None else ranks.folder)
    stored: Mapping[str, StoredTensor] = read_shards(path) if ranks is None else merge(ranks)
    config = read_arguments({} if ranks is None else ranks.arguments, stored, where, shape)
    tensors = match_tensors(stored, config, "megatron", where)
    precision = str(tensors.stored[tensors.pieces[0].stored].dtype).removeprefix("torch.")
    card = read_card(path) or Card(path.resolve().name, family="megatron", precision=precision)
    notes = () if ranks is None else _origin(ranks, config, like)
    card = replace(card, context=card.context or config.max_positions, notes=(*card.notes, *notes))
    return Checkpoint(read_tokenizer(path, config), card.with_notes(tensors.notes), tensors)


def _origin(ranks: Ranks, config: DecoderConfig, like: str | Path | None) -> list[str]:
    """Return notes on the origin of a model that was merged from the ranks of a run."""
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
    return notes
