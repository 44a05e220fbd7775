"""Linear maps for a few rows at a time on a CPU: weights laid out once as the processor's kernel wants them.

torch's own product of a few rows with an fp32 matrix runs at less than half of what oneDNN reaches with a packed one.
Shapes: B rows, I input width, O output width.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

Linear = Callable[[Tensor], Tensor]

_PACKED_TYPES = (torch.float32, torch.bfloat16)
_SMALL = 40_000  # fp32 weights of a map that is sooner done than a packed one is called


def joined_linear(weights_OI: Sequence[Tensor], rows: int, *, pack: bool) -> Linear:
    """One map that gives the outputs of several, side by side.

    Args:
        weights_OI: matrices with one input; copied where they are packed.
        rows: about how many rows will come at a time.
        pack: lay the weights out anew where :func:`can_pack` says that this is possible.
    """
    if pack and can_pack(weights_OI[0]):
        weight_OI = torch.cat(tuple(weights_OI)).detach()
        if weight_OI.dtype == torch.float32 and weight_OI.numel() < _SMALL:
            return functools.partial(_turned_linear, weight_OI.T.contiguous())
        return functools.partial(_packed_linear, torch.ops.mkldnn._reorder_linear_weight(weight_OI, rows))
    if len(weights_OI) == 1:
        return functools.partial(_plain_linear, weights_OI[0])
    return lambda x: torch.cat([F.linear(x, weight) for weight in weights_OI], -1)


def can_pack(weight_OI: Tensor) -> bool:
    """Whether this build of torch has packed products for such weights: fp32 or bf16 on a CPU with oneDNN."""
    known = hasattr(torch.ops.mkldnn, "_reorder_linear_weight") and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    usable = weight_OI.device.type == "cpu" and weight_OI.dtype in _PACKED_TYPES
    return usable and torch.backends.mkldnn.is_available() and known


def _packed_linear(packed: Tensor, x: Tensor) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(x, packed, None, "none", [], "")


def _turned_linear(weight_IO: Tensor, x: Tensor) -> Tensor:
    return x @ weight_IO


def _plain_linear(weight_OI: Tensor, x: Tensor) -> Tensor:
    return F.linear(x, weight_OI)
