"""Linear maps, by torch or by oneDNN: torch multiplies fp32 on CPUs with MKL, which is slow on processors of AMD.

Shapes: N rows, I input width, O output width.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genolm.models.kernels.kernels import Operation

LinearFunction = Callable[[Tensor, Tensor, Tensor | None], Tensor]


class Linear(nn.Linear):
    """Linear layer whose product is computed by the kernel of the run."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the output, (…, O)."""
        return linear(x, self.weight, self.bias)


def linear(x: Tensor, weight_OI: Tensor, bias_O: Tensor | None = None) -> Tensor:
    """Return ``x @ weight.T + bias``, (…, O), by the kernel of the run."""
    if not has_onednn(x, weight_OI):
        return F.linear(x, weight_OI, bias_O)
    return LINEAR.kernel(linear_case(torch.is_grad_enabled()), "torch")(x, weight_OI, bias_O)


def linear_case(training: bool) -> str:
    """Return the class of shapes of fp32 products on a CPU, without or with gradients."""
    return "float32 training" if training else "float32"


def has_onednn(x: Tensor, weight: Tensor) -> bool:
    """Return whether there is a choice: fp32 on a CPU with oneDNN, outside autocast and compilation.

    bf16 is always multiplied by oneDNN.
    """
    plain = type(x) is Tensor and type(weight) in (Tensor, nn.Parameter) and x.numel() > 0
    fp32 = x.dtype == weight.dtype == torch.float32 and x.device.type == weight.device.type == "cpu"
    traced = torch.compiler.is_compiling() or torch.is_autocast_enabled("cpu")
    return plain and fp32 and not traced and _ONEDNN


def onednn_linear(x: Tensor, weight_OI: Tensor, bias_O: Tensor | None = None) -> Tensor:
    """Compute the product by oneDNN, with gradients if they are needed."""
    if torch.is_grad_enabled():
        mapped: Tensor = _TrainedLinear.apply(x, weight_OI, bias_O)  # type: ignore[no-untyped-call]
        return mapped
    return _product(x, weight_OI, bias_O)


class _TrainedLinear(torch.autograd.Function):
    """The product and its gradients by oneDNN."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight_OI: Tensor, bias_O: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight_OI)
        ctx.bias = bias_O is not None
        return _product(x, weight_OI, bias_O)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight_OI = ctx.saved_tensors
        grad, (need_x, need_weight, need_bias) = gradients[0].contiguous(), ctx.needs_input_grad
        grad_NO, x_NI = grad.view(-1, grad.shape[-1]), x.reshape(-1, x.shape[-1])
        dx = _product(grad, weight_OI.t(), None) if need_x else None
        dweight_OI = _product(grad_NO.t(), x_NI.t(), None) if need_weight else None
        return dx, dweight_OI, grad_NO.sum(0) if need_bias else None


def _product(x: Tensor, weight_OI: Tensor, bias_O: Tensor | None) -> Tensor:
    product: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight_OI, bias_O, "none", [], "")
    return product


_ONEDNN = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")

LINEAR: Operation[LinearFunction] = Operation("linear", {"torch": F.linear, "onednn": onednn_linear})
"""Products of fp32 on a CPU."""
