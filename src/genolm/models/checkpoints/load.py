"""Loading of models by name, folder or hub id."""

from __future__ import annotations

from pathlib import Path

import torch

from genolm.errors import ResourceError
from genolm.models.adapters.pieces import assemble
from genolm.models.checkpoints.adapted import adapt
from genolm.models.checkpoints.adapter_source import split_adapter
from genolm.models.checkpoints.checkpoint import Checkpoint, match_folder
from genolm.models.checkpoints.download import fetch_model
from genolm.models.checkpoints.model_folder import read_folder
from genolm.models.model import Model
from genolm.models.networks.network import Network, network_with
from genolm.models.networks.random_weights import random_network
from genolm.models.precision import default_device, default_dtype, parse_device, parse_dtype
from genolm.models.weight_shards import read_verified
from genolm.models.zoo.zoo import ModelSource, find_model


def load(
    name: str | Path,
    *,
    device: torch.device | str | None = None,
    dtype: torch.dtype | str | None = None,
    revision: str | None = None,
    offline: bool | None = None,
    adapter: str | Path | None = None,
) -> Model:
    """Load a model for inference, without the verbs as methods; see :func:`genolm.load`.

    Raises:
        ModelError: the name is unknown, the model has no revisions, or config, weights or tokenizer of the folder
            cannot be used.
        NetworkError: a download failed, the hub does not have the revision, or the cache does not have the complete
            model and must not be completed.
        ResourceError: the weights do not fit in memory.
    """
    target = default_device() if device is None else parse_device(device)
    return load_for(target, name, device=target, dtype=dtype, revision=revision, offline=offline, adapter=adapter)


def load_for(
    computing: torch.device,
    name: str | Path,
    *,
    device: torch.device,
    dtype: torch.dtype | str | None = None,
    revision: str | None = None,
    offline: bool | None = None,
    adapter: str | Path | None = None,
) -> Model:
    """Load a model as :func:`load` does, in the default precision of another device, which will compute.

    Args:
        computing: device that computes; it may belong to another machine.
        name: as for :func:`load`.
        device: device of the weights.
        dtype: precision of the weights; None for the default of ``computing``.
        revision: as for :func:`load`.
        offline: as for :func:`load`.
        adapter: as for :func:`load`.
    """
    precision = None if dtype is None else parse_dtype(dtype)
    source = find_model(name, revision)
    base, changes = split_adapter(source, adapter)
    try:
        opened = _open(base, offline)
        if precision is None:
            in_memory = base.entry is not None and base.entry.seed is not None
            known = default_dtype(opened.card.precision, opened.config.parameters, computing)
            precision = torch.float32 if in_memory else known
        if changes is not None:
            opened = adapt(opened, changes, precision)
        model = Model(_network(opened, precision, device), opened.tokenizer, opened.card, heads=opened.heads)
        model.to(device, precision)
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise ResourceError(
            f"not enough memory for the weights of {name} on {device}: {error}", code="out-of-memory"
        ) from error
    if adapter is None:
        model.origin = _origin(name, revision) if source.folder is None else str(source.folder.absolute())
    return model


def _open(source: ModelSource, offline: bool | None) -> Checkpoint:
    entry = source.entry
    if entry is not None and entry.seed is not None and entry.config is not None:
        tokenizer = entry.random_tokenizer()
        network = random_network(entry.config, entry.seed, tokenizer.base_ids, tokenizer.n_id)
        return Checkpoint.of_network(network, tokenizer, entry.card)
    folder = read_folder(fetch_model(source, offline=offline))
    known = folder.card or (entry.card if entry else None)
    return match_folder(folder, read_verified(folder.path, known.sha256 if known else None), entry)


def _network(opened: Checkpoint, precision: torch.dtype, device: torch.device) -> Network:
    """Build a network without storage and read its tensors one by one: this needs memory for the weights and one
    stored tensor."""
    tensors, tokenizer = opened.tensors, opened.tokenizer
    weights = assemble(tensors.pieces, tensors.stored, tensors.shapes, precision, device)
    layouts = {layer: stored.read().to(device, torch.uint8) for layer, stored in tensors.layouts.items()}
    return network_with(weights, layouts, opened.config, tokenizer.base_ids, tokenizer.n_id)


def _origin(name: str | Path, revision: str | None) -> str:
    return str(name) if revision is None else f"{name}@{revision}"
