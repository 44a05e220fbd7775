"""Batch norm over the tokens of all rows of a step, without padding, on all ranks of a training run.

Shapes: B rows, C channels, L tokens.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn


class TokenNorm(nn.BatchNorm1d):
    """Batch norm (Ioffe and Szegedy 2015) whose statistics count real tokens only.

    In training the statistics cover the rows of one micro-step on all ranks of the default process group: every rank
    must call, even if it has no tokens. They are sums over rows in fp64, so that the result depends neither on padding
    nor, but for the last bit, on how rows are divided between ranks. Tensors and running statistics are those of
    ``torch.nn.BatchNorm1d``.
    """

    def forward(self, x_BCL: Tensor, mask_BL: Tensor | None = None) -> Tensor:
        """Return the normalised values, (B, C, L); what padding holds has no effect.

        Args:
            x_BCL: values, in the precision of the weights.
            mask_BL: True for real tokens; None if all are.
        """
        if not self.training:
            return F.batch_norm(
                x_BCL, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps
            )
        sums_3C = _AllSum.apply(_sums(x_BCL, mask_BL))  # type: ignore[no-untyped-call]
        count = sums_3C[2].clamp(min=1.0)
        mean_C = sums_3C[0] / count
        variance_C = (sums_3C[1] / count - mean_C.square()).clamp(min=0.0)
        self._track(mean_C, variance_C, count)
        gain_C = (variance_C + self.eps).rsqrt() * self.weight
        shift_C = self.bias - mean_C * gain_C
        return x_BCL * gain_C.to(x_BCL.dtype)[:, None] + shift_C.to(x_BCL.dtype)[:, None]

    @torch.no_grad()
    def _track(self, mean_C: Tensor, variance_C: Tensor, count_C: Tensor) -> None:
        """Update the running statistics, with the unbiased variance, as torch does."""
        assert self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None
        assert self.momentum is not None
        unbiased_C = variance_C * count_C / (count_C - 1).clamp(min=1.0)
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean_C.to(self.running_mean.dtype), self.momentum)
        self.running_var.lerp_(unbiased_C.to(self.running_var.dtype), self.momentum)


def _sums(x_BCL: Tensor, mask_BL: Tensor | None) -> Tensor:
    """Return sum, sum of squares and number of the real values of each channel, fp64 (3, C), added up row by row."""
    wide = x_BCL.double()
    if mask_BL is not None:
        wide = wide.masked_fill(~mask_BL[:, None], 0.0)
        count_B = mask_BL.sum(1, dtype=torch.float64)
    else:
        count_B = wide.new_full(wide.shape[:1], wide.shape[2])
    sums_BC = torch.stack((wide.sum(2), wide.square().sum(2), count_B[:, None].expand(wide.shape[:2])))
    return sums_BC.sum(1)


class _AllSum(torch.autograd.Function):
    """Sum over all ranks, whose gradient is the sum of the gradients of all ranks; without ranks, the value itself."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return _summed(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _summed(gradients[0])


def _summed(values: Tensor) -> Tensor:
    if not dist.is_available() or not dist.is_initialized() or dist.get_world_size() == 1:
        return values.clone()
    total = values.contiguous().clone()
    dist.all_reduce(total)
    return total
