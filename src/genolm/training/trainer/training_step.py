"""Optimizer step: gradients of a batch in micro-batches, clipping, and the update of the weights."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.utils.checkpoint import checkpoint

from genolm.training.trainer.evaluation import total
from genolm.training.trainer.finite_values import DivergedError, first_not_finite, input_not_finite
from genolm.training.trainer.objective import Batch, Objective, Sums
from genolm.training.trainer.optimizers import Optimizers
from genolm.training.trainer.weights import layers_of
from genolm.training.trainer.workers import Workers, accumulating


class TrainingStep:
    """Updates the weights once per call.

    The gradient is that of the mean loss over the weight of the batch (such as its counted tokens), however its rows
    are divided over micro-batches and processes.

    Args:
        network: network, wrapped for its processes.
        optimizer: optimizer of the weights.
        clip: maximum gradient norm.
        workers: processes of the run.
        seed: random seed of dropout.
    """

    def __init__(self, network: nn.Module, optimizer: Optimizers, clip: float, workers: Workers, seed: int = 0) -> None:
        self._network, self._optimizer = network, optimizer
        self._clip, self._workers, self._seed = clip, workers, seed
        self._objective: Objective | None = None
        self._sums: list[Sums] = []
        self._norm: Tensor | float = 0.0

    def __call__(
        self, objective: Objective, batch: Batch, micro_rows: int, rate: float, sharers: int, step: int = 0
    ) -> None:
        """Take one step.

        A batch without weight (all N, or nothing masked) leaves weights and optimizer unchanged.

        Args:
            objective: objective of the run.
            batch: rows of this process.
            micro_rows: rows of a micro-batch.
            rate: learning rate relative to its peak.
            sharers: number of processes that share each row.
            step: 0-based step; dropout depends on it, on the seed, and on micro-batch and rank.

        Raises:
            DivergedError: an input, the loss or the gradient norm is NaN or infinite; raised on every rank, before the
                weights change.
        """
        for group in self._optimizer.param_groups:
            group["lr"] = rate * group["peak"]
        wrong = input_not_finite(self._workers, batch)
        if wrong is not None:
            raise DivergedError(f"not finite: {wrong}")
        weight = self._workers.all_reduce_sum(batch.weight.double()) / sharers
        self._objective, self._sums, self._norm = objective, [], 0.0
        if not float(weight):
            return
        turns = self._workers.all_reduce_max(-(-batch.size // micro_rows))
        for turn in range(turns):
            rows = batch.rows(slice(turn * micro_rows, (turn + 1) * micro_rows))
            torch.manual_seed(_dropout_seed(self._seed, step, turn, self._workers.rank // sharers))
            with accumulating(self._network, turn + 1 == turns):
                loss = objective.loss(self._network, rows if rows.size else batch.without_targets())
                # Gradients are averaged over the ranks, but the loss is a sum over all of them.
                (loss.total * (self._workers.world / weight).float()).backward()
                self._sums.append({name: value.detach() for name, value in loss.sums.items()})
        trainable = [weight for weight in self._network.parameters() if weight.requires_grad]
        norm = nn.utils.clip_grad_norm_(trainable, self._clip)
        self._norm = norm.full_tensor() if isinstance(norm, DTensor) else norm
        self._check_finite(batch)
        self._optimizer.step()
        self._optimizer.zero_grad()

    def metrics(self) -> dict[str, Any]:
        """Metrics of the last step (collective: every rank must call); null if nothing in the batch counted."""
        assert self._objective is not None
        if not self._sums:
            return {self._objective.loss_name: None, "gradient_norm": 0.0}
        values = self._objective.metrics(total(self._sums, self._workers))
        return {**values, "gradient_norm": round(float(self._norm), 4)}

    def _check_finite(self, batch: Batch) -> None:
        local = torch.stack([sums["loss"] for sums in self._sums]).sum()
        if not self._workers.any_rank(not bool(local.isfinite() & torch.as_tensor(self._norm).isfinite())):
            return
        sums = total(self._sums, self._workers)
        culprit = first_not_finite(self._workers, self._network, batch, gradients=True)
        self._optimizer.zero_grad()
        loss = sums["loss"] / max(1.0, sums["weight"])
        raise DivergedError(
            f"the loss is {loss:.4g} and the gradient norm {float(self._norm):.4g}; not finite: {culprit or 'the loss'}"
        )


def _dropout_seed(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)


class Recomputation:
    """Switches activation checkpointing of a network's layers on and off; results are bitwise identical.

    Args:
        network: network with the layers.
    """

    def __init__(self, network: nn.Module) -> None:
        self._layers = layers_of(network)
        self._plain: list[Any] = [layer.forward for layer in self._layers]

    def switch(self, on: bool) -> None:
        """Recompute activations inside layers from now on, or keep them."""
        for layer, plain in zip(self._layers, self._plain, strict=True):
            layer.forward = partial(checkpoint, plain, use_reentrant=False) if on else plain
