"""Bidirectional attention without padding: the rows of a batch are concatenated.

Shapes: B rows, L tokens of the longest row, T real tokens of all rows together, H heads, D width of a head, R tokens of
one row.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from genolm.models.networks.packing import Packing

RowAttention = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Attention of rows of one length: queries, keys and values, (B, H, R, D) each, to the output, (B, H, R, D)."""

_QUERIES_AT_A_TIME = 256  # with their scores in the processor's cache


def attend(q_HTD: Tensor, k_HTD: Tensor, v_HTD: Tensor, packing: Packing, attention: RowAttention) -> Tensor:
    """Compute the attention within each row; (H, T, D).

    Rows are processed together if all have the same length, else one by one, so that padding costs nothing.
    """
    lengths = packing.lengths
    if len(set(lengths)) == 1:
        q, k, v = (x.unflatten(1, (len(lengths), lengths[0])).transpose(0, 1) for x in (q_HTD, k_HTD, v_HTD))
        return attention(q, k, v).transpose(0, 1).flatten(1, 2)
    rows = zip(*(x.split(lengths, 1) for x in (q_HTD, k_HTD, v_HTD)), strict=True)
    return torch.cat([attention(q[None], k[None], v[None])[0] if q.shape[1] else q for q, k, v in rows], 1)


def full_attention(q_BHRD: Tensor, k_BHRD: Tensor, v_BHRD: Tensor) -> Tensor:
    """Compute full attention with torch's fused kernel, which keeps scores in fp32."""
    return F.scaled_dot_product_attention(q_BHRD, k_BHRD, v_BHRD)


def local_attention(window: int) -> RowAttention:
    """Return the attention to tokens at most ``window / 2`` away, inclusive; it is linear in time and memory."""
    reach = window // 2

    def attention(q_BHRD: Tensor, k_BHRD: Tensor, v_BHRD: Tensor) -> Tensor:
        length = q_BHRD.shape[2]
        if length <= reach + 1:
            return full_attention(q_BHRD, k_BHRD, v_BHRD)
        step = max(_QUERIES_AT_A_TIME, window)
        blocks = []
        for start in range(0, length, step):
            stop = min(start + step, length)
            first, last = max(0, start - reach), min(length, stop + reach)
            queries = torch.arange(start, stop, device=q_BHRD.device)[:, None]
            near = (queries - torch.arange(first, last, device=q_BHRD.device)).abs() <= reach
            keys, values = k_BHRD[:, :, first:last], v_BHRD[:, :, first:last]
            blocks.append(F.scaled_dot_product_attention(q_BHRD[:, :, start:stop], keys, values, attn_mask=near))
        return torch.cat(blocks, 2)

    return attention
