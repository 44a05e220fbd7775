"""Heads for labels and projections: one or two linear layers on hidden states, or on their pooled vector.

Shapes: B rows, L tokens, I input width, C outputs.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genolm.errors import ModelError
from genolm.models.heads.head_config import HeadPooling, LabelHeadConfig, ProjectionHeadConfig


class LinearHead(nn.Module):
    """Linear layer, or two with exact GELU between them, for each token or for the pooled vector of a sequence.

    Args:
        config: config of the head.
        width: width I of the hidden states.
    """

    def __init__(self, config: LabelHeadConfig | ProjectionHeadConfig, width: int) -> None:
        super().__init__()
        self.config, self.width = config, width
        bias = config.bias if isinstance(config, LabelHeadConfig) else True
        self.dense = nn.Linear(width, config.hidden) if config.hidden else None
        self.output = nn.Linear(config.hidden or width, config.outputs, bias=bias)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x_BLI: Tensor, mask_BL: Tensor, bases_BL: Tensor) -> Tensor:
        """Return the outputs: (B, L, C) for tokens, zero at padding, or (B, C) for sequences.

        Args:
            x_BLI: hidden states.
            mask_BL: True for real tokens.
            bases_BL: True for real tokens other than special tokens.

        Raises:
            ModelError: a row has no tokens to pool.
        """
        x = x_BLI
        if self.config.of == "sequence":
            x = pool(x_BLI, mask_BL, bases_BL, self.config.pooling)
        if self.dense is not None:
            x = F.gelu(self.dense(self.dropout(x)))
        outputs = self.output(self.dropout(x))
        return outputs if self.config.of == "sequence" else outputs.masked_fill(~mask_BL[..., None], 0.0)


class LabelHead(LinearHead):
    """Head for labels; see :class:`genolm.models.heads.head_config.LabelHeadConfig`."""

    config: LabelHeadConfig

    def predictions(self, outputs: Tensor) -> Tensor:
        """Return what the outputs, (…, C), mean: probabilities of classes or labels, or numbers in their units."""
        if self.config.task == "classes":
            return outputs.softmax(-1)
        if self.config.task == "multilabel":
            return outputs.sigmoid()
        if self.config.deviations:
            outputs = outputs * outputs.new_tensor(self.config.deviations)
        return outputs + outputs.new_tensor(self.config.means) if self.config.means else outputs


class ProjectionHead(LinearHead):
    """Head for vectors; see :class:`genolm.models.heads.head_config.ProjectionHeadConfig`."""

    config: ProjectionHeadConfig

    def predictions(self, outputs: Tensor) -> Tensor:
        """Return the outputs: vectors have no other meaning."""
        return outputs


def pool(x_BLI: Tensor, mask_BL: Tensor, bases_BL: Tensor, pooling: HeadPooling) -> Tensor:
    """Return one vector for each row, (B, I): the mean over its bases, or its first or last real token.

    Raises:
        ModelError: a row has no tokens to pool.
    """
    chosen_BL = bases_BL if pooling == "mean" else mask_BL
    if not bool(chosen_BL.any(1).all()):
        raise ModelError(f"row {int((~chosen_BL.any(1)).nonzero()[0])} (0-based) has no tokens to pool")
    if pooling == "mean":
        total_BI = x_BLI.masked_fill(~chosen_BL[..., None], 0.0).sum(1)
        return total_BI / chosen_BL.sum(1, keepdim=True)
    columns_L = torch.arange(mask_BL.shape[1], device=mask_BL.device)
    numbered_BL = columns_L.expand_as(mask_BL)
    if pooling == "first":
        column_B = numbered_BL.masked_fill(~mask_BL, mask_BL.shape[1]).amin(1)
    else:
        column_B = numbered_BL.masked_fill(~mask_BL, -1).amax(1)
    return x_BLI[torch.arange(len(x_BLI), device=x_BLI.device), column_B]
