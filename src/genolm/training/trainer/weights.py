"""Weights of a training run: their initial values, their distribution over ranks, and their collection."""

from __future__ import annotations

from typing import TypeVar

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
    """A network made on the meta device, spread over all processes and filled from ``seed``.

    No process ever holds more than its share and one whole tensor. Layers are gathered one at a time in a pass.
    """
    mesh = init_device_mesh(device.type, (world,))
    for layer in network.layers:
        fully_shard(layer, mesh=mesh)
    # Also the root: without a backward pass (held-out evaluation) it would stay gathered, and be saved so.
    fully_shard(network, mesh=mesh, reshard_after_forward=True)
    network.to_empty(device=device)
    return initialise(network, seed)


def local_shard(value: Tensor) -> Tensor:
    """What this process keeps of a tensor: its share of a sharded one, the whole of any other."""
    return value.to_local() if isinstance(value, DTensor) else value


def shard_like(local: Tensor, full: Tensor) -> Tensor:
    """This process's share as a tensor that is spread like ``full``; as it is where that is not spread."""
    if not isinstance(full, DTensor):
        return local
    return DTensor.from_local(
        local, full.device_mesh, full.placements, run_check=False, shape=full.shape, stride=full.stride()
    )


def gathered_weights(network: nn.Module, keep: bool) -> dict[str, Tensor]:
    """The weights in bf16 on the CPU, and buffers as they are; every process must call, and those that do not ``keep``
    get none.

    Each process has buffers of its own; as under DDP, those of the first one count.
    """
    weights = {}
    for name, weight in network.named_parameters():
        full = weight.full_tensor() if isinstance(weight, DTensor) else weight
        if keep:
            weights[name] = full.detach().to("cpu", torch.bfloat16, copy=True)
    return weights | {
        name: local_shard(one).to("cpu", copy=True) for name, one in stored_buffers(network).items() if keep
    }


NetworkT = TypeVar("NetworkT", bound=Network)


_RESIDUAL_OUTPUTS = ("attention.output.weight", "ffn.down.weight", "ffn.down")


def initialise(network: NetworkT, seed: int) -> NetworkT:
    """Fill every weight anew, in place, from ``seed``; one that is spread over processes with each one's share.

    Matrices are normal with the config's ``initial_std``; those that write into the residual stream are scaled down by
    ``sqrt(2 * num_layers)``, so that its variance does not grow with depth; norms start at one and biases at
    zero. A Gengram memory starts as its config says. Random block layouts are drawn as where the network is made, and
    running statistics start as their module says.
    """
    generator = torch.Generator().manual_seed(seed)
    std = network.config.initial_std
    scaled = std / (2 * network.config.num_layers) ** 0.5
    with torch.no_grad():
        for name, weight in network.named_parameters():
            # Whole and on the CPU: the numbers then depend on neither device nor spread.
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
    """Copies what this process keeps of a tensor."""
    if isinstance(weight, DTensor):
        shard = distribute_tensor(full.to(weight.device), weight.device_mesh, weight.placements, src_data_rank=None)
        weight.to_local().copy_(shard.to_local())
    else:
        weight.copy_(full)


def _fill_memory(name: str, weight: Tensor, config: DecoderConfig, generator: torch.Generator) -> None:
    """``small``: the value projection and the convolution start at zero, and the module as nothing."""
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
