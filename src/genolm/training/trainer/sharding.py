"""Weights spread over processes, each keeping its share of every tensor (FSDP2), and put together again."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

from genolm.models.networks.network import stored_buffers
from genolm.training.trainer.initialisation import NetworkT, initialise


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


def own_share(value: Tensor) -> Tensor:
    """What this process keeps of a tensor: its share of a sharded one, the whole of any other."""
    return value.to_local() if isinstance(value, DTensor) else value


def share_like(own: Tensor, whole: Tensor) -> Tensor:
    """This process's share as a tensor that is spread like ``whole``; as it is where that is not spread."""
    if not isinstance(whole, DTensor):
        return own
    return DTensor.from_local(
        own, whole.device_mesh, whole.placements, run_check=False, shape=whole.shape, stride=whole.stride()
    )


def whole_weights(network: nn.Module, keep: bool) -> dict[str, Tensor]:
    """The weights in bf16 on the CPU, and buffers as they are; every process must call, and those that do not ``keep``
    get none.

    Each process has buffers of its own; as under DDP, those of the first one count.
    """
    found = {}
    for name, weight in network.named_parameters():
        whole = weight.full_tensor() if isinstance(weight, DTensor) else weight
        if keep:
            found[name] = whole.detach().to("cpu", torch.bfloat16, copy=True)
    return found | {name: own_share(one).to("cpu", copy=True) for name, one in stored_buffers(network).items() if keep}
