"""One optimizer step: the gradients of a batch in micro-batches, clipped, and the weights moved.

Shapes: R rows of this process, M tokens of a row, L positions predicted from.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from genolm.models.config import DecoderConfig
from genolm.training.objective import RouterLosses, next_base_nats, router_losses
from genolm.training.optimizers import Optimizers
from genolm.training.passes import Passes, Predictions
from genolm.training.workers import Workers, adding_up


class TrainingStep:
    """How the weights move once.

    Every gradient is that of the mean over all counted bases of the whole batch, however its rows are divided over
    micro-batches and processes.

    Args:
        config: of the decoder.
        network: the decoder, wrapped for its processes.
        optimizer: moves the weights.
        clip: largest gradient norm.
        workers: the processes.
    """

    def __init__(
        self, config: DecoderConfig, network: nn.Module, optimizer: Optimizers, clip: float, workers: Workers
    ) -> None:
        self._config, self._network, self._optimizer = config, network, optimizer
        self._clip, self._workers = clip, workers
        self._sums: list[Tensor] = []
        self._norm: Tensor | float = 0.0

    def __call__(
        self, passes: Passes, ids_RM: Tensor, documents_RM: Tensor | None, micro_rows: int, rate: float, sharers: int
    ) -> None:
        """Take one step.

        Args:
            passes: how rows go through the network.
            ids_RM: this process's rows.
            documents_RM: documents of their tokens; None when each row is one.
            micro_rows: rows at a time.
            rate: learning rates over their peaks.
            sharers: processes that share each row.
        """
        for group in self._optimizer.param_groups:
            group["lr"] = rate * group["peak"]
        counted = passes.counted(ids_RM, documents_RM).sum().double()
        total = self._workers.summed(counted) / sharers
        self._sums = []
        starts = range(0, len(ids_RM), micro_rows)
        for start in starts:
            rows = slice(start, start + micro_rows)
            documents = None if documents_RM is None else documents_RM[rows]
            with adding_up(self._network, start == starts[-1]):
                self._add_gradients(passes, ids_RM[rows], documents, total)
        norm = nn.utils.clip_grad_norm_(self._network.parameters(), self._clip)
        self._norm = norm.full_tensor() if isinstance(norm, DTensor) else norm
        self._optimizer.step()
        self._optimizer.zero_grad()

    def told(self) -> dict[str, Any]:
        """What the last step has to report; all processes must call."""
        sums = self._workers.summed(torch.stack(self._sums).sum(0)).tolist()
        counted = max(1.0, sums[1])
        told: dict[str, Any] = {"bits_per_base": round(sums[0] / counted / math.log(2), 5)}
        if self._config.num_experts:
            told |= {"load_balancing": sums[2] / counted, "router_z": sums[3] / counted}
            loads, experts = [round(value / counted, 4) for value in sums[4:]], self._config.num_experts
            told["expert_load"] = [loads[i : i + experts] for i in range(0, len(loads), experts)]
        return {**told, "gradient_norm": round(float(self._norm), 4)}

    def _add_gradients(self, passes: Passes, ids: Tensor, documents: Tensor | None, total: Tensor) -> None:
        found = passes.predict(self._network, ids, documents, router=self._config.num_experts > 0)
        assert found.output.logits_BLV is not None
        nats = next_base_nats(found.output.logits_BLV, found.targets_BL, found.counted_BL)
        count = found.counted_BL.sum()
        loss, router = nats, None
        if self._config.num_experts and bool(count):
            router = router_losses(found.output.router, self._config, found.counted_BL)
            extra = self._config.router_aux_coef * router.balance + self._config.router_z_coef * router.z
            loss = loss + extra * count
        # Gradients are averaged over the processes, and the loss is a sum over all of them.
        (loss * (self._workers.world / total).float()).backward()
        self._sums.append(self._summary(found, nats, router))

    def _summary(self, found: Predictions, nats: Tensor, router: RouterLosses | None) -> Tensor:
        """Sums over this micro-batch: nats, bases, and what the router did, weighted by bases; fp64."""
        count = found.counted_BL.sum().double()
        parts = [nats.detach().double()[None], count[None]]
        if self._config.num_experts:
            layers = self._config.num_layers * self._config.num_experts
            shown = torch.zeros(2 + layers, device=nats.device, dtype=torch.float64)
            if router is not None:
                weights = torch.cat((router.balance[None], router.z[None], router.load_LE.flatten())).detach()
                shown = weights.double() * count
            parts.append(shown)
        return torch.cat(parts)
