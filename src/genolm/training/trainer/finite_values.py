"""Search for the tensor that is not finite when a run diverges."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from genolm.models.networks.network import stored_buffers
from genolm.training.trainer.objective import Batch
from genolm.training.trainer.weights import local_shard
from genolm.training.trainer.workers import Workers


class DivergedError(Exception):
    """A loss, gradient or weight is NaN or infinite; the weights were not updated, or not written."""


@torch.no_grad()
def first_not_finite(
    workers: Workers, network: nn.Module, batch: Batch | None = None, gradients: bool = False
) -> str | None:
    """Return the name of the first tensor that is NaN or infinite on any rank (collective); None if all are finite.

    Inputs are searched first, then weights and buffers, then gradients, so that the name is that of a cause.

    Args:
        workers: processes of the run.
        network: network of the run, wrapped or not.
        batch: rows of this process.
        gradients: whether to search gradients too.
    """
    local = next((name for name, value in _values(network, batch, gradients) if not _is_finite(value)), None)
    return next((name for name in workers.all_gather(local) if name is not None), None)


def input_not_finite(workers: Workers, batch: Batch) -> str | None:
    """Return the name of an input that is NaN or infinite on any rank (collective); None if all are finite."""
    local = next((name for name, value in batch.values() if not _is_finite(value)), None)
    if not workers.any_rank(local is not None):
        return None
    return next(name for name in workers.all_gather(local) if name is not None)


def _values(network: nn.Module, batch: Batch | None, gradients: bool) -> Iterator[tuple[str, Tensor]]:
    if batch is not None:
        yield from batch.values()
    for name, weight in network.named_parameters():
        yield f"the weight {name.removeprefix('module.')}", local_shard(weight)
    for name, buffer in stored_buffers(network).items():
        yield f"the buffer {name.removeprefix('module.')}", local_shard(buffer)
    for name, weight in network.named_parameters() if gradients else ():
        if weight.grad is not None:
            yield f"the gradient of {name.removeprefix('module.')}", local_shard(weight.grad)


def _is_finite(value: Tensor) -> bool:
    return not value.is_floating_point() or bool(value.isfinite().all())
