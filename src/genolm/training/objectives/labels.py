"""Objective of label heads: classes, labels that occur together, or numbers.

Shapes: N sequences or bases that count, C outputs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from genolm.models.heads.head_config import LabelHeadConfig
from genolm.models.heads.headed_network import HeadedNetwork
from genolm.training.objectives.head_objective import HeadObjective, mean_correlation, moments
from genolm.training.objectives.label_weights import weighted_loss
from genolm.training.trainer.objective import Sums


class LabelObjective(HeadObjective):
    """Cross-entropy of classes, binary cross-entropy of labels, or squared error of numbers in the head's scale.

    The loss is the mean over sequences or bases (classes), or over these and the labels (otherwise). Weights and focal
    loss apply in training; the held-out loss is without them.

    Args:
        head: name of the head.
        config: config of the head.
        device: device of the network.
        bf16: whether the backbone uses bf16.
        weights: weight of each label in training; None: 1.
        focal: exponent of the focal loss in training; 0: none.
    """

    higher_is_better: Collection[str] = ("accuracy", "pearson")

    def __init__(
        self,
        head: str,
        config: LabelHeadConfig,
        device: torch.device,
        bf16: bool,
        weights: Sequence[float] | None = None,
        focal: float = 0.0,
    ) -> None:
        super().__init__(head, 1 if config.task == "classes" else config.outputs, device, bf16)
        self._task, self._focal = config.task, focal
        self._weight_C = None if weights is None else torch.tensor(weights, dtype=torch.float32, device=device)

    def held_out_metrics(self, sums: Mapping[str, Any]) -> dict[str, float | None]:
        """Return the loss, and the accuracy or, of numbers, the mean Pearson correlation."""
        loss = sums["loss"] / sums["weight"]
        if self._task == "regression":
            return {"loss": loss, "pearson": mean_correlation(sums)}
        return {"loss": loss, "accuracy": sums["correct"] / sums["weight"]}

    def _total(self, outputs: Tensor, targets: Tensor) -> Tensor:
        if self._task == "classes":
            return F.cross_entropy(outputs, targets.reshape(len(outputs)).long(), reduction="sum")
        if self._task == "multilabel":
            return F.binary_cross_entropy_with_logits(outputs, targets, reduction="sum")
        return F.mse_loss(outputs, targets, reduction="sum")

    def _trained_total(self, outputs: Tensor, targets: Tensor) -> Tensor:
        if self._weight_C is None and not self._focal:
            return self._total(outputs, targets)
        return weighted_loss(outputs, targets, self._task, self._weight_C, self._focal)

    def _further(self, network: HeadedNetwork, outputs: Tensor, targets: Tensor) -> Sums:
        if self._task == "regression":
            return moments(outputs, targets)
        if self._task == "classes":
            return {"correct": (outputs.argmax(-1) == targets.reshape(len(outputs))).sum().double()}
        return {"correct": ((outputs > 0) == (targets > 0.5)).sum().double()}
