"""Weights of a training run: initialisation, sharding over processes (FSDP2), and gathering."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from genolm.models.networks.attention.block_attention import initial_layout
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.encoder_config import EncoderConfig
from genolm.models.networks.network import LAYOUT, Network, stored_buffers


def sharded_network(network: NetworkT, seed: int, device: torch.device, world: int) -> NetworkT:
    """Shard a network that was created on the meta device over all processes, and initialise it from ``seed``.

    No process ever holds more than its shard and one full tensor. Layers are gathered one at a time in a pass.
    """
    shard(network, device, world)
    network.to_empty(device=device)
    return initialise(network, seed)


def shard(network: nn.Module, device: torch.device, world: int) -> None:
    """Shard a network over all processes, in place; with weights, which must be equal on all of them, or without."""
    mesh = init_device_mesh(device.type, (world,))
    for layer in layers_of(network):
        fully_shard(layer, mesh=mesh)
    # The root as well: without a backward pass (held-out evaluation) it would stay gathered, and be saved that way.
    fully_shard(network, mesh=mesh, reshard_after_forward=True)


def local_shard(value: Tensor) -> Tensor:
    """Return this rank's shard of a sharded tensor; any other tensor unchanged."""
    return value.to_local() if isinstance(value, DTensor) else value


def shard_like(local: Tensor, full: Tensor) -> Tensor:
    """Return this rank's shard as a tensor sharded like ``full``; unchanged if that is not sharded."""
    if not isinstance(full, DTensor):
        return local
    return DTensor.from_local(
        local, full.device_mesh, full.placements, run_check=False, shape=full.shape, stride=full.stride()
    )


def layers_of(network: nn.Module) -> list[nn.Module]:
    """Return the layers of a backbone, or of the backbone of a network with heads."""
    backbone: Any = getattr(network, "backbone", network)
    return list(backbone.layers)


def gathered_weights(network: nn.Module, keep: bool, dtype: torch.dtype = torch.bfloat16) -> dict[str, Tensor]:
    """Return the weights in a precision on the CPU, heads and low-rank updates in fp32, and buffers as they are.

    Collective: every rank must call. Ranks with ``keep=False`` get an empty dict.

    Buffers are those of rank 0, as under DDP.
    """
    weights = {}
    for name, weight in network.named_parameters():
        full = weight.full_tensor() if isinstance(weight, DTensor) else weight
        if keep:
            kept = torch.float32 if name.startswith("heads.") or "lora_" in name else dtype
            weights[name] = full.detach().to("cpu", kept, copy=True)
    return weights | {
        name: local_shard(one).to("cpu", copy=True) for name, one in stored_buffers(network).items() if keep
    }


NetworkT = TypeVar("NetworkT", bound=Network)


_RESIDUAL_OUTPUTS = ("attention.output.weight", "ffn.down.weight", "ffn.down")


def initialise(network: NetworkT, seed: int) -> NetworkT:
    """Initialise all weights from ``seed``, in place; each rank sets its shard.

    Matrices are normal with the config's ``initial_std``; those that write into the residual stream are scaled down by
    ``sqrt(2 * num_layers)``, so that its variance does not grow with depth. Norms start at one and biases at zero. A
    Gengram memory is initialised as configured, random block layouts as in a new network, and running statistics as in
    their module.
    """
    generator = torch.Generator().manual_seed(seed)
    std = network.config.initial_std
    scaled = std / (2 * network.config.num_layers) ** 0.5
    with torch.no_grad():
        for name, weight in network.named_parameters():
            # In full and on the CPU, so that the values depend neither on the device nor on sharding.
            full = torch.empty(weight.shape)
            if ".gengram." in name and weight.ndim > 1:
                assert isinstance(network.config, DecoderConfig)
                _fill_memory(name.split(".gengram.")[1], full, network.config, generator)
            elif weight.ndim == 1:
                full.fill_(0.0 if name.endswith("bias") else 1.0)
            else:
                full.normal_(0.0, scaled if name.endswith(_RESIDUAL_OUTPUTS) else std, generator=generator)
            _copy_shard(weight, full)
        for name, layout in network.named_buffers():
            if name.endswith(f".{LAYOUT}"):
                assert isinstance(network.config, EncoderConfig)
                initial = initial_layout(network.config, int(name.split(".")[1]))
                assert initial is not None
                layout.copy_(initial)
        for module in network.modules():
            if isinstance(module, nn.modules.batchnorm._NormBase):
                module.reset_running_stats()
    return network


def _copy_shard(weight: Tensor, full: Tensor) -> None:
    """Copy this rank's shard of a tensor."""
    if isinstance(weight, DTensor):
        shard = distribute_tensor(full.to(weight.device), weight.device_mesh, weight.placements, src_data_rank=None)
        weight.to_local().copy_(shard.to_local())
    else:
        weight.copy_(full)


def _fill_memory(name: str, weight: Tensor, config: DecoderConfig, generator: torch.Generator) -> None:
    """Initialise a Gengram memory; with ``small`` the value projection and the convolution start at zero."""
    memory = config.gengram
    assert memory is not None
    table = name.startswith("tables.")
    if memory.init == "reference" and table:
        weight.normal_(0.0, 1.0, generator=generator)
    elif memory.init == "reference":
        bound = weight.shape[-1] ** -0.5
        weight.uniform_(-bound, bound, generator=generator)
    elif name.startswith(("value.", "conv.")):
        weight.zero_()
    else:
        weight.normal_(0.0, memory.table_std if table else config.initial_std, generator=generator)
