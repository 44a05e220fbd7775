"""Optimizer step: gradients of a batch in micro-batches, clipping, and the update of the weights."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.utils.checkpoint import checkpoint

from genolm.models.networks.network import Network
from genolm.training.trainer.evaluation import total
from genolm.training.trainer.objective import Batch, Objective, Sums
from genolm.training.trainer.optimizers import Optimizers
from genolm.training.trainer.workers import Workers, accumulating


class DivergedError(Exception):
    """The loss or the gradient norm is NaN or infinite; the weights were not updated."""


class TrainingStep:
    """Updates the weights once per call.

    The gradient is that of the mean loss over the weight of the batch (such as its counted tokens), however its rows
    are divided over micro-batches and processes.

    Args:
        network: network, wrapped for its processes.
        optimizer: optimizer of the weights.
        clip: maximum gradient norm.
        workers: processes of the run.
    """

    def __init__(self, network: nn.Module, optimizer: Optimizers, clip: float, workers: Workers) -> None:
        self._network, self._optimizer = network, optimizer
        self._clip, self._workers = clip, workers
        self._objective: Objective | None = None
        self._sums: list[Sums] = []
        self._norm: Tensor | float = 0.0

    def __call__(self, objective: Objective, batch: Batch, micro_rows: int, rate: float, sharers: int) -> None:
        """Take one step.

        A batch without weight (all N, or nothing masked) leaves weights and optimizer unchanged.

        Args:
            objective: objective of the run.
            batch: rows of this process.
            micro_rows: rows of a micro-batch.
            rate: learning rate relative to its peak.
            sharers: number of processes that share each row.

        Raises:
            DivergedError: the loss or the gradient norm is NaN or infinite; raised on every rank, before the weights
                change.
        """
        for group in self._optimizer.param_groups:
            group["lr"] = rate * group["peak"]
        weight = self._workers.all_reduce_sum(batch.weight.double()) / sharers
        self._objective, self._sums, self._norm = objective, [], 0.0
        if not float(weight):
            return
        turns = self._workers.all_reduce_max(-(-batch.size // micro_rows))
        for turn in range(turns):
            rows = batch.rows(slice(turn * micro_rows, (turn + 1) * micro_rows))
            with accumulating(self._network, turn + 1 == turns):
                loss = objective.loss(self._network, rows if rows.size else batch.without_targets())
                # Gradients are averaged over the ranks, but the loss is a sum over all of them.
                (loss.total * (self._workers.world / weight).float()).backward()
                self._sums.append({name: value.detach() for name, value in loss.sums.items()})
        norm = nn.utils.clip_grad_norm_(self._network.parameters(), self._clip)
        self._norm = norm.full_tensor() if isinstance(norm, DTensor) else norm
        self._check_finite()
        self._optimizer.step()
        self._optimizer.zero_grad()

    def metrics(self) -> dict[str, Any]:
        """Metrics of the last step (collective: every rank must call); null if nothing in the batch counted."""
        assert self._objective is not None
        if not self._sums:
            return {self._objective.loss_name: None, "gradient_norm": 0.0}
        values = self._objective.metrics(total(self._sums, self._workers))
        return {**values, "gradient_norm": round(float(self._norm), 4)}

    def _check_finite(self) -> None:
        local = torch.stack([sums["loss"] for sums in self._sums]).sum()
        if not self._workers.any_rank(not bool(local.isfinite() & torch.as_tensor(self._norm).isfinite())):
            return
        sums = total(self._sums, self._workers)
        self._optimizer.zero_grad()
        loss = sums["loss"] / max(1.0, sums["weight"])
        raise DivergedError(f"the loss is {loss:.4g} nats per token and the gradient norm {float(self._norm):.4g}")


class Recomputation:
    """Switches activation checkpointing of a network's layers on and off; results are bitwise identical.

    Args:
        network: network with the layers.
    """

    def __init__(self, network: Network) -> None:
        self._layers = list(network.layers)
        self._plain: list[Any] = [layer.forward for layer in self._layers]

    def switch(self, on: bool) -> None:
        """Recompute activations inside layers from now on, or keep them."""
        for layer, plain in zip(self._layers, self._plain, strict=True):
            layer.forward = partial(checkpoint, plain, use_reentrant=False) if on else plain
