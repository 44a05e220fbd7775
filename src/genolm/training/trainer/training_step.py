"""Optimizer step: gradients of a batch in micro-batches, clipping, and the update of the weights.

Shapes: R rows of this process, M tokens of a row, N counted positions, V vocabulary.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.utils.checkpoint import checkpoint

from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.encoder_config import EncoderConfig
from genolm.models.networks.network import Network
from genolm.training.feeds.training_passes import Batch, Passes, Predictions
from genolm.training.objectives.next_token import RouterLosses, router_losses
from genolm.training.trainer.optimizers import Optimizers
from genolm.training.trainer.workers import Workers, accumulating


class DivergedError(Exception):
    """The loss or the gradient norm is NaN or infinite; the weights were not updated."""


class TrainingStep:
    """Updates the weights once per call.

    The gradient is that of the mean over all counted tokens of the batch, however its rows are divided over
    micro-batches and processes.

    Args:
        config: config of the network.
        network: network, wrapped for its processes.
        optimizer: optimizer of the weights.
        clip: maximum gradient norm.
        workers: processes of the run.
        bases_V: bases of each target token; None if each is one base.
    """

    def __init__(
        self,
        config: DecoderConfig | EncoderConfig,
        network: nn.Module,
        optimizer: Optimizers,
        clip: float,
        workers: Workers,
        bases_V: Tensor | None = None,
    ) -> None:
        self._experts = config if isinstance(config, DecoderConfig) and config.num_experts else None
        self._network, self._optimizer = network, optimizer
        self._clip, self._workers = clip, workers
        self._bases_V = bases_V
        self._sums: list[Tensor] = []
        self._norm: Tensor | float = 0.0

    def __call__(self, passes: Passes, batch: Batch, micro_rows: int, rate: float, sharers: int) -> None:
        """Take one step.

        A batch without counted tokens (all N, or nothing masked) leaves weights and optimizer unchanged.

        Args:
            passes: passes of rows through the network.
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
        total = self._workers.all_reduce_sum(batch.counted_BL.sum().double()) / sharers
        self._sums, self._norm = [], 0.0
        if not float(total):
            return
        turns = self._workers.all_reduce_max(-(-batch.size // micro_rows))
        for turn in range(turns):
            rows = batch.rows(slice(turn * micro_rows, (turn + 1) * micro_rows))
            with accumulating(self._network, turn + 1 == turns):
                self._add_gradients(passes, rows if rows.size else batch.without_targets(), total)
        norm = nn.utils.clip_grad_norm_(self._network.parameters(), self._clip)
        self._norm = norm.full_tensor() if isinstance(norm, DTensor) else norm
        self._check_finite()
        self._optimizer.step()
        self._optimizer.zero_grad()

    def metrics(self) -> dict[str, Any]:
        """Metrics of the last step (collective: every rank must call); null if no token of the batch counted."""
        if not self._sums:
            return {"bits_per_base": None, "gradient_norm": 0.0}
        sums = self._workers.all_reduce_sum(torch.stack(self._sums).sum(0)).tolist()
        counted, bases = max(1.0, sums[1]), max(1.0, sums[2])
        report: dict[str, Any] = {"bits_per_base": round(sums[0] / bases / math.log(2), 5)}
        if self._bases_V is not None:
            report["nats_per_token"] = round(sums[0] / counted, 5)
        if self._experts is not None:
            report |= {"load_balancing": sums[3] / counted, "router_z": sums[4] / counted}
            loads, experts = [round(value / counted, 4) for value in sums[5:]], self._experts.num_experts
            report["expert_load"] = [loads[i : i + experts] for i in range(0, len(loads), experts)]
        return {**report, "gradient_norm": round(float(self._norm), 4)}

    def _check_finite(self) -> None:
        local = torch.stack(self._sums)[:, 0].sum()
        if not self._workers.any_rank(not bool(local.isfinite() & torch.as_tensor(self._norm).isfinite())):
            return
        sums = self._workers.all_reduce_sum(torch.stack(self._sums).sum(0)).tolist()
        self._optimizer.zero_grad()
        loss = sums[0] / max(1.0, sums[1])
        raise DivergedError(f"the loss is {loss:.4g} nats per token and the gradient norm {float(self._norm):.4g}")

    def _add_gradients(self, passes: Passes, batch: Batch, total: Tensor) -> None:
        predictions = passes.predict(self._network, batch, router=self._experts is not None)
        nats = F.cross_entropy(predictions.logits_NV, predictions.targets_N, reduction="sum")
        count = predictions.counted_BL.sum()
        loss, router = nats, None
        if self._experts is not None and bool(count):
            router = router_losses(predictions.router, self._experts, predictions.counted_BL)
            extra = self._experts.router_aux_coef * router.balance + self._experts.router_z_coef * router.z
            loss = loss + extra * count
        # Gradients are averaged over the ranks, but the loss is a sum over all of them.
        (loss * (self._workers.world / total).float()).backward()
        self._sums.append(self._summary(predictions, nats, router))

    def _summary(self, predictions: Predictions, nats: Tensor, router: RouterLosses | None) -> Tensor:
        """Return sums over this micro-batch in fp64: nats, tokens, bases, and router statistics weighted by tokens."""
        count = predictions.counted_BL.sum().double()
        bases = count if self._bases_V is None else self._bases_V[predictions.targets_N].sum().double()
        parts = [nats.detach().double()[None], count[None], bases[None]]
        if self._experts is not None:
            layers = self._experts.num_layers * self._experts.num_experts
            router_sums = torch.zeros(2 + layers, device=nats.device, dtype=torch.float64)
            if router is not None:
                weights = torch.cat((router.balance[None], router.z[None], router.load_LE.flatten())).detach()
                router_sums = weights.double() * count
            parts.append(router_sums)
        return torch.cat(parts)


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
