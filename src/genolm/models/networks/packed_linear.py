"""Linear maps for a few rows at a time, joined and laid out for the processor's kernel.

torch's product of a few rows with an fp32 matrix reaches less than half the speed of oneDNN with a packed matrix.
Shapes: B rows, I input width, O output width.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from genolm.models.kernels.kernels import Operation

StepLinear = Callable[[Tensor], Tensor]

_PACKED_TYPES = (torch.float32, torch.bfloat16)
_SMALL = 40_000  # fp32 weights up to which a plain product is faster than the call of a packed one


def joined_linear(weights_OI: Sequence[Tensor], rows: int, *, pack: bool) -> StepLinear:
    """Return a linear map with the concatenated outputs of several.

    Args:
        weights_OI: matrices with the same input; copied if they are packed.
        rows: approximate number of rows at a time.
        pack: whether to pack the weights if :func:`can_pack`.
    """
    if pack and can_pack(weights_OI[0]):
        weight_OI = torch.cat(tuple(weights_OI)).detach()
        return STEP_LINEAR.kernel(step_linear_case(weight_OI), default_step_linear(weight_OI))(weight_OI, rows)
    if len(weights_OI) == 1:
        return functools.partial(_plain_linear, weights_OI[0])
    return lambda x: torch.cat([F.linear(x, weight) for weight in weights_OI], -1)


def step_linear_case(weight_OI: Tensor) -> str:
    """Return the class of shapes of a joined matrix."""
    return f"{str(weight_OI.dtype).removeprefix('torch.')} {weight_OI.shape[0]}x{weight_OI.shape[1]}"


def default_step_linear(weight_OI: Tensor) -> str:
    """Return the default layout: packed, but for small fp32 matrices, where the call takes longer than the product."""
    small = weight_OI.dtype == torch.float32 and weight_OI.numel() < _SMALL
    return "transposed" if small else "packed"


def can_pack(weight_OI: Tensor) -> bool:
    """Return whether this build of torch has packed products for such weights: fp32 or bf16 on a CPU with oneDNN."""
    known = hasattr(torch.ops.mkldnn, "_reorder_linear_weight") and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    usable = weight_OI.device.type == "cpu" and weight_OI.dtype in _PACKED_TYPES
    return usable and torch.backends.mkldnn.is_available() and known


def _packed(weight_OI: Tensor, rows: int) -> StepLinear:
    return functools.partial(_packed_linear, torch.ops.mkldnn._reorder_linear_weight(weight_OI, rows))


def _transposed(weight_OI: Tensor, rows: int) -> StepLinear:
    return functools.partial(_transposed_linear, weight_OI.T.contiguous())


def _joined(weight_OI: Tensor, rows: int) -> StepLinear:
    return functools.partial(_plain_linear, weight_OI)


STEP_LINEAR: Operation[Callable[[Tensor, int], StepLinear]] = Operation(
    "step_linear", {"packed": _packed, "transposed": _transposed, "joined": _joined}
)
"""Products of a few rows with a matrix on a CPU: by oneDNN with a packed matrix, or by torch."""


def _packed_linear(packed: Tensor, x: Tensor) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(x, packed, None, "none", [], "")


def _transposed_linear(weight_IO: Tensor, x: Tensor) -> Tensor:
    return x @ weight_IO


def _plain_linear(weight_OI: Tensor, x: Tensor) -> Tensor:
    return F.linear(x, weight_OI)
