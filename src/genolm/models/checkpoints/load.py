"""Loading of models by name, folder or hub id."""

from __future__ import annotations

from pathlib import Path

import torch

from genolm.errors import ResourceError
from genolm.models.adapters.pieces import assemble
from genolm.models.checkpoints.checkpoint import match_folder
from genolm.models.checkpoints.download import snapshot
from genolm.models.checkpoints.layouts import MatchedTensors, match_tensors
from genolm.models.checkpoints.model_folder import ModelFolder, read_folder
from genolm.models.model import Model
from genolm.models.networks.network import Network, network_with
from genolm.models.networks.random_weights import random_network
from genolm.models.precision import default_device, default_dtype, parse_device, parse_dtype
from genolm.models.weight_shards import read_shards, read_verified
from genolm.models.zoo.zoo import find_model
from genolm.models.zoo.zoo_entry import Entry


def load(
    name: str | Path, *, device: torch.device | str | None = None, dtype: torch.dtype | str | None = None
) -> Model:
    """Load a model for inference.

    Args:
        name: model name (``genolm models`` lists them), model folder, or hub id ``ORGANISATION/NAME``; models on
            the hub are downloaded once and kept in the Hugging Face cache.
        device: device to compute on; by default the first CUDA device, else the CPU.
        dtype: precision of the weights: ``float32``, ``bfloat16`` or ``float16``. Default on an accelerator: that of
            the card. Default on a CPU: float32, or bfloat16 for models of at least 100 million parameters that were
            trained in it, if the processor multiplies it natively.

    Raises:
        ModelError: the name is unknown, or config, weights or tokenizer of the folder cannot be used.
        NetworkError: a download failed.
        ResourceError: the weights do not fit in memory.
    """
    target = default_device() if device is None else parse_device(device)
    precision = None if dtype is None else parse_dtype(dtype)
    source = find_model(name)
    entry = source.entry
    try:
        if entry is not None and entry.seed is not None and entry.config is not None:
            network = random_network(entry.config, entry.seed)
            return Model(network, entry.random_tokenizer(), entry.card).to(target, precision or torch.float32)
        folder = source.local_folder() or snapshot(str(source.hub_id))
        return load_folder(folder, device=target, dtype=precision, entry=entry)
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise ResourceError(f"not enough memory for the weights of {name} on {target}: {error}") from error


def load_folder(
    path: Path, *, device: torch.device | str = "cpu", dtype: torch.dtype | None = None, entry: Entry | None = None
) -> Model:
    """Load a model from a folder in any layout.

    Needs memory for the weights and one stored tensor: the network is built without storage and its tensors are read
    one by one.

    Args:
        path: folder with ``config.json``, safetensors, and optionally ``tokenizer.json`` and ``card.json``.
        device: device of the weights.
        dtype: precision of the weights; None as in :func:`load`.
        entry: zoo entry of the model, for what its files do not say.

    Raises:
        ModelError: config, weights or tokenizer cannot be used; the file or tensor is named.
    """
    folder = read_folder(Path(path))
    card = folder.card or (entry.card if entry else None)
    stored = read_verified(folder.path, card.sha256 if card else None)
    checkpoint = match_folder(folder, stored, entry)
    tokenizer, card, tensors = checkpoint.tokenizer, checkpoint.card, checkpoint.tensors
    precision = dtype or default_dtype(card.precision, tensors.config.parameters, torch.device(device))
    return Model(_network(tensors, precision, device, tokenizer.base_ids, tokenizer.n_id), tokenizer, card)


def _network(
    tensors: MatchedTensors,
    dtype: torch.dtype | None,
    device: torch.device | str,
    base_ids: tuple[int, int, int, int] = (8, 5, 6, 7),
    n_id: int = 9,
) -> Network:
    weights = assemble(tensors.pieces, tensors.stored, tensors.shapes, dtype, device)
    layouts = {name: stored.read().to(device, torch.uint8) for name, stored in tensors.layouts.items()}
    return network_with(weights, layouts, tensors.config, base_ids, n_id)


def read_network(
    folder: ModelFolder, *, device: torch.device | str = "cpu", dtype: torch.dtype | None = None
) -> Network:
    """Load the network of a folder without its tokenizer; ``dtype`` None keeps the stored type of its weights."""
    stored = read_shards(folder.path)
    tensors = match_tensors(stored, folder.network, folder.layout, str(folder.path), folder.values)
    return _network(tensors, dtype, device)
