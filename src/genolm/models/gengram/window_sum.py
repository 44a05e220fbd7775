"""Sums over the last few positions, without a running total that could drift.

Shapes: B batch, S positions, X any trailing shape.
"""

from __future__ import annotations

import torch
from torch import Tensor


def shifted(values_BSX: Tensor, back: int, reach_BS: Tensor | None = None) -> Tensor:
    """Return the value ``back`` positions earlier, 0 before the beginning.

    Args:
        values_BSX: values, (B, S, ...).
        back: number of positions.
        reach_BS: number of positions of the same document up to each one; earlier values count as 0. None: no borders.
    """
    if back == 0:
        return values_BSX
    length = values_BSX.shape[1]
    moved = torch.zeros_like(values_BSX)
    if back < length:
        moved[:, back:] = values_BSX[:, : length - back]
    if reach_BS is not None:
        outside = (reach_BS <= back).view(*reach_BS.shape, *[1] * (values_BSX.ndim - 2))
        moved = moved.masked_fill(outside, 0)
    return moved


def plus_shifted(total_BSX: Tensor, values_BSX: Tensor, back: int, reach_BS: Tensor | None = None) -> Tensor:
    """Return ``total + shifted(values, back, reach)``, without a shifted copy if no gradient or border needs it."""
    if torch.is_grad_enabled() or reach_BS is not None:
        return total_BSX + shifted(values_BSX, back, reach_BS)
    out = total_BSX.clone()
    seen = max(0, values_BSX.shape[1] - back)
    out[:, out.shape[1] - seen :] += values_BSX[:, :seen]
    return out


def window_sum(values_BSX: Tensor, width: int, reach_BS: Tensor | None = None) -> Tensor:
    """Return the sum over each position and the ``width - 1`` before it, (B, S, ...), in about 2 log2(width) additions.

    Sums of 1, 2, 4 ... positions are made by doubling and combined by the binary digits of ``width``; every value
    passes through few additions, so the error does not grow with the position.

    Args:
        values_BSX: values, (B, S, ...).
        width: positions of a window, which is truncated at the beginning of the sequence and of the document.
        reach_BS: as in :func:`shifted`.
    """
    total: Tensor | None = None
    covered, size, power = 0, 1, values_BSX
    while True:
        if width & size:
            total = power if total is None else plus_shifted(total, power, covered, reach_BS)
            covered += size
        if size * 2 > width:
            break
        power = plus_shifted(power, power, size, reach_BS)
        size *= 2
    assert total is not None, "a window has at least one position"
    return total
