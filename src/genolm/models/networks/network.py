"""Either kind of network, made from its config."""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import Tensor, nn

from genolm.models.networks.decoder import Decoder
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.encoder import Encoder
from genolm.models.networks.network_config import NetworkConfig

Network: TypeAlias = Decoder | Encoder
"""A decoder or an encoder."""

LAYOUT = "attention.layout"


def make_network(config: NetworkConfig, base_ids: tuple[int, int, int, int] = (8, 5, 6, 7), n_id: int = 9) -> Network:
    """A network with initial weights; the ids of bases and of N concern decoders with a k-mer table or memory."""
    return Decoder(config, base_ids, n_id) if isinstance(config, DecoderConfig) else Encoder(config)


def tensor_shapes(config: NetworkConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of each weight of a network; a head tied to the embedding is left out."""
    with torch.device("meta"):
        return {name: tuple(weight.shape) for name, weight in make_network(config).named_parameters()}


def layout_shapes(config: NetworkConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of the block layouts that are stored beside the weights: (heads, blocks, blocks) of each layer.

    Empty for a network whose attention follows from its config.
    """
    if isinstance(config, DecoderConfig) or config.sparse is None or config.sparse.random_blocks != "stored":
        return {}
    blocks = -(-config.max_positions // config.sparse.block)
    shape = (config.num_heads, blocks, blocks)
    return {f"layers.{layer}.{LAYOUT}": shape for layer in range(config.num_layers)}


def tensors_of(network: nn.Module) -> dict[str, Tensor]:
    """Everything that is stored of a network: its weights and its buffers, by name, without their gradients."""
    return {name: weight.detach() for name, weight in network.named_parameters()} | stored_buffers(network)


def stored_buffers(network: nn.Module) -> dict[str, Tensor]:
    """The buffers that are stored beside the weights, by name: block layouts, and running statistics of norms.

    Left out are those that a module registers as not persistent, as it makes them again.
    """
    return {
        f"{path}.{name}" if path else name: buffer
        for path, module in network.named_modules()
        for name, buffer in module.named_buffers(recurse=False)
        if name not in module._non_persistent_buffers_set
    }
