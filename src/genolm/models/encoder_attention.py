"""Attention that looks both ways, without padding: the rows of a batch stand one after the other.

Shapes: B rows, L tokens of the longest row, T real tokens of all rows together, H heads, D width of a head, R tokens of
one row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from genolm.errors import ModelError

RowAttention = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Queries, keys and values of rows of one length, (B, H, R, D) each, to the mixed values, (B, H, R, D)."""

_QUERIES_AT_A_TIME = 256  # with their scores in the processor's cache


@dataclass(frozen=True, slots=True)
class Packing:
    """Where the real tokens of a batch stand.

    Attributes:
        shape: B and L.
        lengths: real tokens of each row.
        place_T: places of the real tokens in the flattened batch; None when every place holds one.
        position_T: number of each among the real tokens of its row.
    """

    shape: tuple[int, int]
    lengths: tuple[int, ...]
    place_T: Tensor | None
    position_T: Tensor

    @classmethod
    def of(cls, shape: tuple[int, int], mask_BL: Tensor | None, device: torch.device) -> Packing:
        """The packing of a batch; without a mask every token is real."""
        rows, length = shape
        if mask_BL is None or bool(mask_BL.all()):
            return cls(shape, (length,) * rows, None, torch.arange(length, device=device).repeat(rows))
        mask_BL = mask_BL.bool()
        lengths = tuple(mask_BL.sum(1).tolist())
        place_T = mask_BL.flatten().nonzero()[:, 0]
        return cls(shape, lengths, place_T, (mask_BL.cumsum(1) - 1).flatten()[place_T])

    def pack(self, values_BL: Tensor) -> Tensor:
        """The real tokens' values: (T, …) of (B, L, …)."""
        flat = values_BL.flatten(0, 1)
        return flat if self.place_T is None else flat[self.place_T]

    def unpack(self, values_T: Tensor) -> Tensor:
        """The opposite, with zeros at the places that hold no token: (B, L, …) of (T, …)."""
        if self.place_T is None:
            return values_T.unflatten(0, self.shape)
        whole = values_T.new_zeros(self.shape[0] * self.shape[1], *values_T.shape[1:])
        return whole.index_copy_(0, self.place_T, values_T).unflatten(0, self.shape)

    def first(self, device: torch.device) -> Tensor:
        """Place of each row's first token among the real ones, (B,).

        Raises:
            ModelError: a row without tokens.
        """
        if 0 in self.lengths:
            raise ModelError(f"row {self.lengths.index(0)} (0-based) has no tokens to pool")
        ends = torch.tensor(self.lengths, device=device).cumsum(0)
        return ends - torch.tensor(self.lengths, device=device)


def attend(q_HTD: Tensor, k_HTD: Tensor, v_HTD: Tensor, packing: Packing, attention: RowAttention) -> Tensor:
    """Every row's tokens among each other; (H, T, D).

    Rows of one length, when all are, go through together; else each goes alone, so that no work is done for padding.
    """
    lengths = packing.lengths
    if len(set(lengths)) == 1:
        q, k, v = (x.unflatten(1, (len(lengths), lengths[0])).transpose(0, 1) for x in (q_HTD, k_HTD, v_HTD))
        return attention(q, k, v).transpose(0, 1).flatten(1, 2)
    rows = zip(*(x.split(lengths, 1) for x in (q_HTD, k_HTD, v_HTD)), strict=True)
    return torch.cat([attention(q[None], k[None], v[None])[0] if q.shape[1] else q for q, k, v in rows], 1)


def full_attention(q_BHRD: Tensor, k_BHRD: Tensor, v_BHRD: Tensor) -> Tensor:
    """Every token sees every token of its row, by torch's fused kernel, which keeps scores in fp32."""
    return F.scaled_dot_product_attention(q_BHRD, k_BHRD, v_BHRD)


def local_attention(window: int) -> RowAttention:
    """Attention to tokens at most ``window / 2`` away, inclusive; time and memory are linear in the length."""
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
