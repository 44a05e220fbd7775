"""Products with gradients in bf16 on a CPU: those with the same input are joined, forward and backward.

Shapes: N tokens (B times L), D residual width, F inner width, O output width.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def is_trained_in_bf16(x: Tensor, weight: Tensor) -> bool:
    """Return whether these functions apply: gradients, and bf16 by weights or autocast, on a CPU."""
    if not torch.is_grad_enabled() or x.device.type != "cpu" or torch.compiler.is_compiling():
        return False
    autocast = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16
    return autocast or x.dtype == weight.dtype == torch.bfloat16


def trained_swiglu(x_BLD: Tensor, gate_FD: Tensor, up_FD: Tensor, down_DF: Tensor) -> Tensor:
    """Return ``(silu(x @ gate.T) * (x @ up.T)) @ down.T``, (B, L, D), in bf16."""
    out: Tensor = _TrainedSwiGLU.apply(x_BLD, gate_FD, up_FD, down_DF)  # type: ignore[no-untyped-call]
    return out


def trained_products(x_BLD: Tensor, *weights_OD: Tensor) -> tuple[Tensor, ...]:
    """Return the products of the same input with several matrices, (B, L, O) each, in bf16."""
    out: tuple[Tensor, ...] = _TrainedProducts.apply(x_BLD, *weights_OD)  # type: ignore[no-untyped-call]
    return out


class _TrainedProducts(torch.autograd.Function):
    """Forward and backward pass as one product each; the sum of the input's gradients is taken inside it."""

    @staticmethod
    def forward(ctx: Any, x_BLD: Tensor, *weights_OD: Tensor) -> tuple[Tensor, ...]:
        x_ND, joined_OD = x_BLD.reshape(-1, x_BLD.shape[-1]).bfloat16(), torch.cat(weights_OD).bfloat16()
        ctx.save_for_backward(x_ND, joined_OD)
        ctx.dtypes, ctx.sizes = (x_BLD.dtype, weights_OD[0].dtype), [len(weight) for weight in weights_OD]
        return (x_ND @ joined_OD.T).view(*x_BLD.shape[:-1], -1).split(ctx.sizes, -1)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x_ND, joined_OD = ctx.saved_tensors
        dtype, weight_dtype = ctx.dtypes
        grad_NO = torch.cat(gradients, -1).view(len(x_ND), -1)
        dweights: tuple[Tensor | None, ...] = (None,) * len(ctx.sizes)
        if any(ctx.needs_input_grad[1:]):
            dweights = (grad_NO.T @ x_ND).to(weight_dtype).split(ctx.sizes)
        return (grad_NO @ joined_OD).to(dtype).view(*gradients[0].shape[:-1], -1), *dweights


class _TrainedSwiGLU(torch.autograd.Function):
    """Forward and backward pass; the sum of the gradients by gate and up is taken inside one product."""

    @staticmethod
    def forward(ctx: Any, x_BLD: Tensor, gate_FD: Tensor, up_FD: Tensor, down_DF: Tensor) -> Tensor:
        x_ND = x_BLD.reshape(-1, x_BLD.shape[-1]).bfloat16()
        joined_FD, down_DF = torch.cat((gate_FD, up_FD)).bfloat16(), down_DF.bfloat16()
        joined_NF = x_ND @ joined_FD.T
        gate_NF, up_NF = joined_NF.chunk(2, 1)
        inner_NF = F.silu(gate_NF).mul_(up_NF)
        ctx.save_for_backward(x_ND, joined_FD, down_DF, joined_NF, inner_NF)
        ctx.dtypes = x_BLD.dtype, gate_FD.dtype
        return (inner_NF @ down_DF.T).view(x_BLD.shape)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x_ND, joined_FD, down_DF, joined_NF, inner_NF = ctx.saved_tensors
        dtype, weight_dtype = ctx.dtypes
        grad_ND = gradients[0].reshape(x_ND.shape)
        gate_NF, up_NF = joined_NF.chunk(2, 1)
        dinner_NF = grad_ND @ down_DF
        djoined_NF = torch.empty_like(joined_NF)
        dgate_NF, dup_NF = djoined_NF.chunk(2, 1)
        torch.mul(F.silu(gate_NF), dinner_NF, out=dup_NF)
        torch.ops.aten.silu_backward.grad_input(dinner_NF.mul_(up_NF), gate_NF, grad_input=dgate_NF)
        dx_BLD = (djoined_NF @ joined_FD).to(dtype).view(gradients[0].shape)
        if not any(ctx.needs_input_grad[1:]):  # frozen weights
            return dx_BLD, None, None, None
        dgate_FD, dup_FD = (djoined_NF.T @ x_ND).to(weight_dtype).chunk(2)
        return dx_BLD, dgate_FD, dup_FD, (grad_ND.T @ inner_NF).to(weight_dtype)
