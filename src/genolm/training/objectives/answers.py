"""Objective of conversations: the next token of the answers.

Shapes: B rows, M tokens of a row.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genolm.training.objectives.token_prediction import TokenBatch
from genolm.training.rows import Rows
from genolm.training.trainer.objective import Loss, Sums


class AnswerObjective:
    """Cross-entropy of the tokens that count, each predicted from the tokens before it.

    Args:
        device: device of the network.
        bf16: whether to use bf16.
    """

    loss_name = "nats_per_token"
    higher_is_better: Collection[str] = ("accuracy",)

    def __init__(self, device: torch.device, bf16: bool) -> None:
        self._device, self._bf16 = device, bf16

    def batch(self, rows: Rows, held_out: bool = False) -> TokenBatch:
        """Return rows on the device; padding is on the right, where no token sees it."""
        assert rows.counted_RL is not None
        ids_BM = torch.from_numpy(rows.ids_RL.astype("int64")).to(self._device)
        counted_BM = torch.from_numpy(rows.counted_RL).to(self._device)
        return TokenBatch(ids_BM, None, None, ids_BM[:, 1:], counted_BM[:, 1:])

    def loss(self, network: nn.Module, batch: TokenBatch) -> Loss:
        """Return the cross-entropy in nats, summed over the tokens that count."""
        logits, targets = self._predict(network, batch)
        total = F.cross_entropy(logits, targets, reduction="sum")
        return Loss(total, {"loss": total.detach().double(), "weight": batch.weight.double()})

    def evaluate(self, network: nn.Module, batch: TokenBatch) -> Sums:
        """Return nats, tokens, and the number of tokens that the network ranks first."""
        logits, targets = self._predict(network, batch)
        nats = F.cross_entropy(logits, targets, reduction="sum")
        correct = (logits.argmax(-1) == targets).sum()
        return {"loss": nats.double(), "weight": batch.weight.double(), "correct": correct.double()}

    def metrics(self, sums: Mapping[str, Any]) -> dict[str, Any]:
        """Return nats per token."""
        return {"nats_per_token": round(sums["loss"] / max(1.0, sums["weight"]), 5)}

    def held_out_metrics(self, sums: Mapping[str, Any]) -> dict[str, float | None]:
        """Return nats per token and the accuracy of the first rank."""
        return {
            "nats_per_token": sums["loss"] / sums["weight"],
            "accuracy": sums["correct"] / sums["weight"],
        }

    def _predict(self, network: nn.Module, batch: TokenBatch) -> tuple[Tensor, Tensor]:
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16):
            outputs = network(batch.ids_BM[:, :-1], heads=("language",))
        return outputs["language"][batch.counted_BL], batch.targets_BL[batch.counted_BL]
