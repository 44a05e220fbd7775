"""Losses for sequence and token labels, in nats.

These heads are part of the encoder (``EncoderConfig.labels``). With a recurrent memory there is an output for every
segment, and the losses of segments are combined as in GENA-LM's published classes. For your own training loops: recipes
train added heads (:mod:`genolm.training.objectives.labels`), not these.

Shapes: B rows, L tokens, C labels.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from genolm.errors import ModelError
from genolm.models.networks.recurrent_memory import MemoryOutput
from genolm.models.networks.recurrent_memory_config import LossOf

LabelKind = Literal["single", "multiple", "number"]
"""One of C classes (``single``), any number of C classes (``multiple``), or C numbers (``number``)."""


def sequence_loss(outputs_BC: Tensor, targets: Tensor, kind: LabelKind) -> Tensor:
    """Return the mean loss of the rows: cross-entropy, binary cross-entropy of several classes, or squared error.

    Args:
        outputs_BC: outputs of the sequence head.
        targets: class indices (B,) for ``single``, else (B, C).
        kind: kind of the labels.

    Raises:
        ModelError: unknown kind, or targets of another shape.
    """
    if kind not in get_args(LabelKind):
        raise ModelError(f"unknown label kind {kind!r}; expected one of {', '.join(get_args(LabelKind))}")
    expected = outputs_BC.shape[:1] if kind == "single" else outputs_BC.shape
    if targets.shape != expected:
        raise ModelError(f"labels have the shape {list(targets.shape)}, but the head requires {list(expected)}")
    if kind == "single":
        return F.cross_entropy(outputs_BC, targets)
    if kind == "multiple":
        return F.binary_cross_entropy_with_logits(outputs_BC, targets)
    return F.mse_loss(outputs_BC, targets)


def token_loss(
    outputs_BLC: Tensor, targets_BLC: Tensor, labelled_BL: Tensor, positive_weight_C: Tensor | None = None
) -> Tensor:
    """Return the binary cross-entropy, summed over labels and averaged over labelled tokens.

    Args:
        outputs_BLC: outputs of the token head.
        targets_BLC: 0 or 1.
        labelled_BL: True where a token has labels.
        positive_weight_C: weight of a present label relative to an absent one.

    Raises:
        ModelError: no token is labelled.
    """
    labelled_BL = labelled_BL.bool()
    if not bool(labelled_BL.any()):
        raise ModelError("a token loss needs at least one labelled token")
    outputs, targets = outputs_BLC[labelled_BL], targets_BLC[labelled_BL]
    each = F.binary_cross_entropy_with_logits(outputs, targets, pos_weight=positive_weight_C, reduction="none")
    return each.sum(-1).mean()


def recurrent_sequence_loss(output: MemoryOutput, targets: Tensor, kind: LabelKind, over: LossOf) -> Tensor:
    """Return the loss of a recurrent memory with sequence labels: of the last segment, or the mean over all.

    A segment's loss is the mean over the rows that have it, so that with ``mean`` the rows of shorter sequences count
    in fewer segments. Arguments and errors as in :func:`sequence_loss`.
    """
    chosen = output.segments[-1:] if over == "last" else output.segments
    if not chosen:
        raise ModelError("this model has no sequence labels")
    return torch.stack([sequence_loss(part.labels_RC, targets[part.row_R], kind) for part in chosen]).mean()


def recurrent_token_loss(
    output: MemoryOutput, targets_BLC: Tensor, labelled_BL: Tensor, positive_weight_C: Tensor | None = None
) -> Tensor:
    """Return the loss of a recurrent memory with token labels: the mean over segments with labelled tokens.

    Arguments and errors as in :func:`token_loss`.
    """
    if output.labels is None or output.segments:
        raise ModelError("this model has no token labels")
    labelled_BL = labelled_BL.bool() & (output.step_BL >= 0)
    steps = output.step_BL[labelled_BL].unique().tolist()
    parts = [labelled_BL & (output.step_BL == step) for step in steps] or [labelled_BL]
    return torch.stack([token_loss(output.labels, targets_BLC, part, positive_weight_C) for part in parts]).mean()
