"""Networks of either kind, made from their config."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
    """Make a network with initial weights; the ids of bases and of N matter to decoders with k-mer tables only."""
    return Decoder(config, base_ids, n_id) if isinstance(config, DecoderConfig) else Encoder(config)


def network_with(
    weights: Iterable[tuple[str, Tensor]],
    layouts: Mapping[str, Tensor],
    config: NetworkConfig,
    base_ids: tuple[int, int, int, int] = (8, 5, 6, 7),
    n_id: int = 9,
) -> Network:
    """Make a network with given weights, in evaluation mode.

    Args:
        weights: name and value of every weight; taken one by one, so that they may be read as they are needed.
        layouts: block layouts of sparse attention, by name.
        config: the network.
        base_ids: ids of A, C, G and T.
        n_id: id of N.
    """
    with torch.device("meta"):
        network = make_network(config, base_ids, n_id)
    for name, weight in weights:
        module, leaf = _owner(network, name)
        setattr(module, leaf, nn.Parameter(weight))
    for name, layout in layouts.items():
        module, leaf = _owner(network, name)
        module.register_buffer(leaf, layout)
    if isinstance(network, Decoder) and network.config.tied:
        network.head.weight = network.embedding.weight
    return network.eval()


def _owner(network: Network, name: str) -> tuple[nn.Module, str]:
    path, _, leaf = name.rpartition(".")
    return network.get_submodule(path), leaf


def tensor_shapes(config: NetworkConfig) -> dict[str, tuple[int, ...]]:
    """Return the name and the shape of each weight of a network, without a head that is tied to the embedding."""
    with torch.device("meta"):
        return {name: tuple(weight.shape) for name, weight in make_network(config).named_parameters()}


def layout_shapes(config: NetworkConfig) -> dict[str, tuple[int, ...]]:
    """Return the name and the shape, (heads, blocks, blocks), of each block layout that is stored with the weights.

    Empty for a network whose attention follows from its config.
    """
    if isinstance(config, DecoderConfig) or config.sparse is None or config.sparse.random_blocks != "stored":
        return {}
    blocks = -(-config.max_positions // config.sparse.block)
    shape = (config.num_heads, blocks, blocks)
    return {f"layers.{layer}.{LAYOUT}": shape for layer in range(config.num_layers)}


def tensors_of(network: nn.Module) -> dict[str, Tensor]:
    """Return the stored tensors of a network by name: weights and buffers, without gradients."""
    return {name: weight.detach() for name, weight in network.named_parameters()} | stored_buffers(network)


def stored_buffers(network: nn.Module) -> dict[str, Tensor]:
    """Return the buffers that are stored with the weights, by name: block layouts and running statistics of norms.

    Non-persistent buffers, which a module recomputes, are left out.
    """
    return {
        f"{path}.{name}" if path else name: buffer
        for path, module in network.named_modules()
        for name, buffer in module.named_buffers(recurse=False)
        if name not in module._non_persistent_buffers_set
    }
