"""Root-mean-square norm (Zhang and Sennrich 2019)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genolm.models.kernels.compiled import compiled
from genolm.models.kernels.kernels import Operation

# Rows that a norm processes at a time on a CPU, so that its fp32 copies stay in the processor's cache.
_NORM_ROWS = 512
_TRAINED_ROWS = 1024


class RMSNorm(nn.Module):
    """Root-mean-square norm with a learned gain, computed in fp32 (fp64 for fp64 input)."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x_BLD: Tensor) -> Tensor:
        """Return the normalised values in the precision of the input."""
        if x_BLD.device.type == "cpu" and torch.is_grad_enabled() and not torch.compiler.is_compiling():
            normed: Tensor = _TrainedNorm.apply(x_BLD, self.weight, self.eps)  # type: ignore[no-untyped-call]
            return normed
        if torch.is_grad_enabled() or x_BLD.device.type != "cpu":
            return rms_norm(x_BLD, self.weight, self.eps)
        return NORM.kernel(str(x_BLD.dtype).removeprefix("torch."), "eager")(x_BLD, self.weight, self.eps)


def rms_norm(x_BLD: Tensor, weight_D: Tensor, eps: float) -> Tensor:
    """Return the norm of all rows at once."""
    if x_BLD.dtype == weight_D.dtype == _wide(x_BLD.dtype):
        return F.rms_norm(x_BLD, weight_D.shape, weight_D, eps)
    x = x_BLD.to(_wide(x_BLD.dtype))
    return (x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps)).to(x_BLD.dtype) * weight_D


def rms_norm_by_rows(x_BLD: Tensor, weight_D: Tensor, eps: float) -> Tensor:
    """Return the norm, computed some rows at a time."""
    if x_BLD.shape[1] <= _NORM_ROWS:
        return rms_norm(x_BLD, weight_D, eps)
    return torch.cat([rms_norm(rows, weight_D, eps) for rows in x_BLD.split(_NORM_ROWS, 1)], 1)


NORM: Operation[Callable[[Tensor, Tensor, float], Tensor]] = Operation(
    "norm", {"eager": rms_norm_by_rows, "compiled": compiled(rms_norm)}
)
"""Norms without gradients on a CPU."""


def step_norm(norm: RMSNorm, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
    """Return a function that computes the norm in ``dtype`` with few calls, which dominate for few rows on a CPU."""
    size = norm.weight.numel()
    if dtype == torch.float64 or norm.weight.device.type != "cpu":
        return lambda x: F.rms_norm(x, (size,), norm.weight, norm.eps)
    gain_D = norm.weight.detach().float() * size**0.5
    floor = torch.tensor((size * norm.eps) ** 0.5)

    def normed(x: Tensor) -> Tensor:
        wide = x.float()
        return (wide * gain_D / torch.hypot(torch.linalg.vector_norm(wide, dim=-1, keepdim=True), floor)).to(dtype)

    return normed


class _TrainedNorm(torch.autograd.Function):
    """The norm with gradients on a CPU, some rows at a time; the forward pass gives the same bits as without gradients.

    Under autocast the output is rounded to its precision at once, instead of in every product that reads it.

    Shapes: N rows (B times L), D width.
    """

    @staticmethod
    def forward(ctx: Any, x_BLD: Tensor, weight_D: Tensor, eps: float) -> Tensor:
        x_ND = x_BLD.reshape(-1, x_BLD.shape[-1])
        inverse_N1 = x_ND.new_empty(len(x_ND), 1, dtype=_wide(x_ND.dtype))
        out_ND = torch.empty_like(x_ND, dtype=_autocast_dtype(torch.result_type(x_ND, weight_D)))
        pieces = (values.split(_TRAINED_ROWS) for values in (x_ND, inverse_N1, out_ND))
        for rows, inverse, out in zip(*pieces, strict=True):
            x = rows.to(inverse.dtype)
            inverse.copy_(torch.rsqrt(x.square().mean(-1, keepdim=True) + eps))
            out.copy_((x * inverse).to(x_ND.dtype) * weight_D)
        ctx.save_for_backward(x_ND, weight_D, inverse_N1)
        return out_ND.view(x_BLD.shape)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        x_ND, weight_D, inverse_N1 = ctx.saved_tensors
        grad_ND = gradients[0].reshape(x_ND.shape)
        dx_ND, dweight_D = torch.empty_like(x_ND), torch.zeros_like(weight_D, dtype=inverse_N1.dtype)
        pieces = (values.split(_TRAINED_ROWS) for values in (x_ND, grad_ND, inverse_N1, dx_ND))
        for rows, grads, inverse, into in zip(*pieces, strict=True):
            unit, grad = rows.to(inverse.dtype) * inverse, grads.to(inverse.dtype)
            dweight_D += (unit * grad).sum(0)
            grad = grad * weight_D
            into.copy_(grad.addcmul_(unit, (unit * grad).mean(-1, keepdim=True), value=-1).mul_(inverse))
        return dx_ND.view(gradients[0].shape), dweight_D.to(weight_D.dtype), None


def _autocast_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return the precision in which autocast multiplies values of a CPU."""
    enabled = torch.is_autocast_enabled("cpu") and dtype == torch.float32
    return torch.get_autocast_dtype("cpu") if enabled else dtype


def _wide(dtype: torch.dtype) -> torch.dtype:
    return torch.promote_types(dtype, torch.float32)
