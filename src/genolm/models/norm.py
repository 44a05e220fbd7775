"""Root-mean-square norm (Zhang and Sennrich 2019)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

# Rows that a norm takes at a time in inference: its fp32 copies then stay in the processor's cache.
_NORM_ROWS = 512


class RMSNorm(nn.Module):
    """Root-mean-square norm with a learned gain, computed in fp32 (in fp64 where the input is)."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x_BLD: Tensor) -> Tensor:
        """The normed values in the precision of the input."""
        if torch.is_grad_enabled() or x_BLD.shape[1] <= _NORM_ROWS:
            return self._normed(x_BLD)
        return torch.cat([self._normed(rows) for rows in x_BLD.split(_NORM_ROWS, 1)], 1)

    def _normed(self, x_BLD: Tensor) -> Tensor:
        x = x_BLD.to(torch.promote_types(x_BLD.dtype, torch.float32))
        return (x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps)).to(x_BLD.dtype) * self.weight
