"""Networks of model folders, without their tokenizers."""

from pathlib import Path

import torch

from genolm.models.adapters.pieces import assemble
from genolm.models.checkpoints.matching import match_tensors
from genolm.models.checkpoints.model_folder import read_folder
from genolm.models.networks.network import Network, network_with
from genolm.models.weight_shards import read_shards


def read_network(path: Path) -> Network:
    """Return the network of a folder, its weights in their stored type, on the CPU."""
    folder = read_folder(path)
    tensors = match_tensors(read_shards(path), folder.network, folder.layout, str(path), folder.values)
    layouts = {name: stored.read().to(torch.uint8) for name, stored in tensors.layouts.items()}
    return network_with(assemble(tensors.pieces, tensors.stored, tensors.shapes), layouts, tensors.config)
