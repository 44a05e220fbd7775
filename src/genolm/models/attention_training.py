"""Causal attention with gradients by bf16 matrix products, for training on CPUs.

torch's fused CPU kernel multiplies in fp32; on a processor with bf16 matrix instructions blocks of plain products are
two to three times as fast, forward and backward.

Shapes: B batch, H query heads, K key-value heads, G = H / K queries per key head, L positions, D head width, R rows
of one block (G times its queries), S keys that the block may see.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

_QUERIES = 128
# Attention weights are kept for the backward pass up to this many bytes a call, and computed again beyond.
_KEPT_BYTES = 1 << 28


class _Block(NamedTuple):
    """Queries ``start`` to ``stop`` of one row of the batch, all heads at once."""

    row: int
    start: int
    stop: int


class _BlockedAttention(torch.autograd.Function):
    """Forward and backward in the same blocks; sums over blocks are taken in fp32."""

    @staticmethod
    def forward(ctx: Any, q_BHLD: Tensor, k_BKLD: Tensor, v_BKLD: Tensor, allowed_BLL: Tensor | None) -> Tensor:
        q_BHLD = q_BHLD * q_BHLD.shape[-1] ** -0.5
        out_BHLD = torch.empty_like(q_BHLD)
        keep = q_BHLD.shape[:2].numel() * q_BHLD.shape[2] ** 2 <= _KEPT_BYTES
        kept = []
        for block in _blocks(q_BHLD):
            weights_KRS = _weights(q_BHLD, k_BKLD, allowed_BLL, block)
            mixed_KRD = torch.bmm(weights_KRS, v_BKLD[block.row, :, : block.stop])
            _put(out_BHLD, mixed_KRD, block)
            if keep:
                kept.append(weights_KRS)
        ctx.save_for_backward(q_BHLD, k_BKLD, v_BKLD, out_BHLD, allowed_BLL, *kept)
        return out_BHLD

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        q_BHLD, k_BKLD, v_BKLD, out_BHLD, allowed_BLL, *kept = ctx.saved_tensors
        grad_BHLD = gradients[0].contiguous()
        # Softmax's backward needs each query's product of output and gradient, summed over its width.
        shared_BHL1 = (grad_BHLD.float() * out_BHLD.float()).sum(-1, keepdim=True).to(q_BHLD.dtype)
        dq_BHLD = torch.empty_like(q_BHLD)
        dk_BKLD, dv_BKLD = (torch.zeros(k_BKLD.shape, device=k_BKLD.device) for _ in range(2))
        for number, block in enumerate(_blocks(q_BHLD)):
            keys = k_BKLD[block.row, :, : block.stop]
            weights_KRS = kept[number] if kept else _weights(q_BHLD, k_BKLD, allowed_BLL, block)
            grad_KRD = _rows(grad_BHLD, block, keys.shape[0])
            dscores_KRS = torch.bmm(grad_KRD, v_BKLD[block.row, :, : block.stop].transpose(1, 2))
            dscores_KRS.sub_(_rows(shared_BHL1, block, keys.shape[0])).mul_(weights_KRS)
            _put(dq_BHLD, torch.bmm(dscores_KRS, keys), block)
            queries = _rows(q_BHLD, block, keys.shape[0])
            dk_BKLD[block.row, :, : block.stop] += torch.bmm(dscores_KRS.transpose(1, 2), queries)
            dv_BKLD[block.row, :, : block.stop] += torch.bmm(weights_KRS.transpose(1, 2), grad_KRD)
        scale = q_BHLD.shape[-1] ** -0.5
        return dq_BHLD * scale, dk_BKLD.to(k_BKLD.dtype), dv_BKLD.to(v_BKLD.dtype), None


def trained_attention(q_BHLD: Tensor, k_BKLD: Tensor, v_BKLD: Tensor, allowed_BLL: Tensor | None = None) -> Tensor:
    """As :func:`genolm.models.attention.plain_attention`, with gradients, of queries and keys of the same positions."""
    mixed: Tensor = _BlockedAttention.apply(q_BHLD, k_BKLD, v_BKLD, allowed_BLL)  # type: ignore[no-untyped-call]
    return mixed


def _blocks(q_BHLD: Tensor) -> Iterator[_Block]:
    batch, _, length, _ = q_BHLD.shape
    for row in range(batch):
        for start in range(0, length, _QUERIES):
            yield _Block(row, start, min(start + _QUERIES, length))


def _rows(values_BHLX: Tensor, block: _Block, kv_heads: int) -> Tensor:
    """A block's rows of all query heads that share a key head, side by side: (K, R, X)."""
    return values_BHLX[block.row, :, block.start : block.stop].reshape(kv_heads, -1, values_BHLX.shape[-1])


def _put(target_BHLD: Tensor, values_KRD: Tensor, block: _Block) -> None:
    heads, width = target_BHLD.shape[1], target_BHLD.shape[-1]
    target_BHLD[block.row, :, block.start : block.stop] = values_KRD.reshape(heads, -1, width)


def _weights(q_BHLD: Tensor, k_BKLD: Tensor, allowed_BLL: Tensor | None, block: _Block) -> Tensor:
    """Attention weights of a block over the keys up to its end, (K, R, S)."""
    keys, size = k_BKLD[block.row, :, : block.stop], block.stop - block.start
    scores_KRS = torch.bmm(_rows(q_BHLD, block, keys.shape[0]), keys.transpose(1, 2))
    scores = scores_KRS.view(keys.shape[0], -1, size, block.stop)
    # finfo.min instead of -inf keeps a query that may look nowhere finite.
    blocked = torch.finfo(scores.dtype).min
    if allowed_BLL is None:
        later = torch.ones(size, size, dtype=torch.bool, device=scores.device).triu_(1)
        scores[..., block.start :].masked_fill_(later, blocked)
    else:
        visible = allowed_BLL[block.row, block.start : block.stop, : block.stop].tril(block.start)
        scores.masked_fill_(~visible, blocked)
    return scores_KRS.softmax(-1)
