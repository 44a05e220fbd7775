"""Loss of rare labels: weights of classes, and the focal loss.

Shapes: N sequences or bases that count, C labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from genolm.errors import InputError
from genolm.models.heads.head_config import LabelHeadConfig
from genolm.training.recipe_file import is_number

BALANCED = "balanced"
"""Weights by which every class contributes the same to the loss."""

ClassWeights = str | Mapping[str, float]
"""``balanced``, or a weight for each label."""

_TINY = 1e-12  # keeps the gradient of a power finite where a label is certain


def check_class_weights(weights: object, head: LabelHeadConfig) -> None:
    """Raise an InputError unless weights are ``balanced`` or have a positive number for each label of a head."""
    if weights == BALANCED:
        return
    if not isinstance(weights, Mapping) or set(weights) != set(head.labels):
        raise InputError(
            f"class_weights must be {BALANCED}, or have a weight for each of {', '.join(head.labels)}", value=weights
        )
    for name, weight in weights.items():
        if not is_number(weight) or not 0 < weight < float("inf"):
            raise InputError(f"the class weight of {name} must be a positive number", value=weight)


def label_weights(weights: ClassWeights, head: LabelHeadConfig, present: Sequence[int], counted: int) -> list[float]:
    """Return the weight of each label in the loss.

    ``balanced`` gives a class n / (C × its number of examples), so that the mean weight of an example is 1. For labels
    that occur together it gives a present label the number of its absences divided by that of its presences.

    Args:
        weights: weights of the recipe.
        head: the head.
        present: number of training sequences or bases with each label.
        counted: number of all that count.

    Raises:
        InputError: balanced weights are requested, and a label never occurs, or always occurs beside others.
    """
    if isinstance(weights, Mapping):
        return [float(weights[name]) for name in head.labels]
    for name, number in zip(head.labels, present, strict=True):
        if number == 0 or (head.task == "multilabel" and number == counted):
            many = "no" if number == 0 else "every"
            raise InputError(f"{many} example in the training table has this label, so it has no weight", value=name)
    if head.task == "multilabel":
        return [(counted - number) / number for number in present]
    return [counted / (len(present) * number) for number in present]


def weighted_loss(outputs_NC: Tensor, targets: Tensor, task: str, weight_C: Tensor | None, focal: float) -> Tensor:
    """Return the sum of the weighted focal loss, Σ w (1 − p)^γ (−log p), in nats.

    p is the probability of the true class or, of labels that occur together, that a label is as it is; there w is 1
    for an absent label. Lin et al. 2017, "Focal Loss for Dense Object Detection".

    Args:
        outputs_NC: logits.
        targets: classes (N,), or 0 and 1 (N, C).
        task: ``classes`` or ``multilabel``.
        weight_C: weight of each label; None: 1.
        focal: γ; 0 is the weighted cross-entropy.
    """
    if task == "classes":
        classes_N = targets.reshape(len(outputs_NC)).long()
        loss = F.cross_entropy(outputs_NC, classes_N, reduction="none")
        weight = None if weight_C is None else weight_C[classes_N]
    else:
        loss = F.binary_cross_entropy_with_logits(outputs_NC, targets, reduction="none")
        weight = None if weight_C is None else torch.where(targets > 0.5, weight_C, torch.ones_like(weight_C))
    if focal:
        loss = (-torch.expm1(-loss)).clamp_min(_TINY) ** focal * loss
    return (loss if weight is None else loss * weight).sum()
