"""What fine-tuned heads are trained on: losses of the labels of sequences and of tokens, in nats.

The heads themselves are part of the encoder (``EncoderConfig.labels``). With a recurrent memory there is an output for
every segment, and the losses of segments are put together as GENA-LM's published classes do. For training loops of
one's own: no recipe of this package fine-tunes to labels.

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
"""One of C classes; any number of C classes; C numbers."""


def sequence_loss(outputs_BC: Tensor, targets: Tensor, kind: LabelKind) -> Tensor:
    """Mean loss of the rows: cross-entropy of one class, binary cross-entropy of many, or squared error.

    Args:
        outputs_BC: of the sequence head.
        targets: (B,) class numbers for ``single``, else (B, C).
        kind: what the labels are.

    Raises:
        ModelError: another kind, or targets of another shape.
    """
    if kind not in get_args(LabelKind):
        raise ModelError(f"labels are one of {', '.join(get_args(LabelKind))}, not {kind!r}")
    expected = outputs_BC.shape[:1] if kind == "single" else outputs_BC.shape
    if targets.shape != expected:
        raise ModelError(f"labels are {list(targets.shape)} where the head's outputs ask for {list(expected)}")
    if kind == "single":
        return F.cross_entropy(outputs_BC, targets)
    if kind == "multiple":
        return F.binary_cross_entropy_with_logits(outputs_BC, targets)
    return F.mse_loss(outputs_BC, targets)


def token_loss(
    outputs_BLC: Tensor, targets_BLC: Tensor, labelled_BL: Tensor, positive_weight_C: Tensor | None = None
) -> Tensor:
    """Binary cross-entropy, summed over labels and averaged over labelled tokens.

    Args:
        outputs_BLC: of the token head.
        targets_BLC: 0 or 1.
        labelled_BL: True where a token has labels.
        positive_weight_C: how much more a present label counts than an absent one.

    Raises:
        ModelError: no token has labels.
    """
    labelled_BL = labelled_BL.bool()
    if not bool(labelled_BL.any()):
        raise ModelError("a loss of tokens needs a token with labels")
    outputs, targets = outputs_BLC[labelled_BL], targets_BLC[labelled_BL]
    each = F.binary_cross_entropy_with_logits(outputs, targets, pos_weight=positive_weight_C, reduction="none")
    return each.sum(-1).mean()


def remembered_sequence_loss(output: MemoryOutput, targets: Tensor, kind: LabelKind, over: LossOf) -> Tensor:
    """The loss of a recurrent memory that labels sequences: of the last segment, or the mean over all.

    A segment's loss is the mean over the rows that have it, so that with ``mean`` the rows of shorter sequences count
    in fewer segments. Arguments and errors as of :func:`sequence_loss`.
    """
    chosen = output.segments[-1:] if over == "last" else output.segments
    if not chosen:
        raise ModelError("this model labels no sequences")
    return torch.stack([sequence_loss(part.labels_RC, targets[part.row_R], kind) for part in chosen]).mean()


def remembered_token_loss(
    output: MemoryOutput, targets_BLC: Tensor, labelled_BL: Tensor, positive_weight_C: Tensor | None = None
) -> Tensor:
    """The loss of a recurrent memory that labels tokens: the mean over the segments that have labelled tokens.

    Arguments and errors as of :func:`token_loss`.
    """
    if output.labels is None or output.segments:
        raise ModelError("this model labels no tokens")
    labelled_BL = labelled_BL.bool() & (output.step_BL >= 0)
    steps = output.step_BL[labelled_BL].unique().tolist()
    parts = [labelled_BL & (output.step_BL == step) for step in steps] or [labelled_BL]
    return torch.stack([token_loss(output.labels, targets_BLC, part, positive_weight_C) for part in parts]).mean()
