"""Networks of either kind, made from their config."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import torch
from torch import Tensor, nn

from genolm.errors import ModelError
from genolm.models.networks.decoder import Decoder
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.encoder import Encoder
from genolm.models.networks.network_config import NetworkConfig
from genolm.models.networks.recurrent_memory import RecurrentMemory

Network: TypeAlias = Decoder | Encoder
"""A decoder or an encoder."""

Backbone: TypeAlias = Decoder | Encoder | RecurrentMemory
"""A network that heads can be added to; ``read`` returns its hidden states and the outputs of its built-in heads."""

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
    network.tie()
    return network.eval()


def _owner(network: Network, name: str) -> tuple[nn.Module, str]:
    path, _, leaf = name.rpartition(".")
    return network.get_submodule(path), leaf


def tensor_shapes(config: NetworkConfig) -> dict[str, tuple[int, ...]]:
    """Return the name and the shape of each weight of a network, without a head that is tied to the embedding."""
    with torch.device("meta"):
        return {name: tuple(weight.shape) for name, weight in make_network(config).named_parameters()}


def tensors_of(network: nn.Module) -> dict[str, Tensor]:
    """Return the tensors that make a network, by name: weights and persistent buffers, without gradients.

    This is the one definition of what is stored, fingerprinted and restored. Weights that are tied have one name, the
    first. The tensors share memory with the network.
    """
    return {name: weight.detach() for name, weight in network.named_parameters()} | stored_buffers(network)


@torch.no_grad()
def load_tensors(network: nn.Module, tensors: Mapping[str, Tensor], where: str) -> None:
    """Copy stored tensors into a network, strictly; the opposite of :func:`tensors_of`.

    Args:
        network: network with initial weights on any device.
        tensors: tensors by name.
        where: origin of the tensors in errors.

    Raises:
        ModelError: a tensor is missing, unexpected, or of another shape or kind of type than in the network.
    """
    own = tensors_of(network)
    if missing := [name for name in own if name not in tensors]:
        raise ModelError(f"{where}: missing tensor {missing[0]}")
    if unexpected := [name for name in tensors if name not in own]:
        raise ModelError(f"{where}: unexpected tensor {unexpected[0]}")
    for name, tensor in own.items():
        if tensor.shape != tensors[name].shape:
            raise ModelError(
                f"{where}: {name} has the shape {list(tensors[name].shape)}; expected {list(tensor.shape)}"
            )
        if tensor.is_floating_point() != tensors[name].is_floating_point():
            raise ModelError(f"{where}: {name} holds {tensors[name].dtype}; expected {tensor.dtype}")
    for name, tensor in own.items():
        tensor.copy_(tensors[name])


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
