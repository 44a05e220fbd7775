"""Causal attention with gradients by bf16 matrix products, for training on CPUs.

torch's fused CPU kernel multiplies in fp32; on a processor with bf16 matrix instructions blocks of plain products are
two to three times as fast, forward and backward.

Shapes: B batch, H query heads, K key-value heads, G = H / K queries per key head, L positions, D head width. A block
is a set of queries of some rows of the batch: N = its rows x K, R = G x its queries, S keys that they may see.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

_QUERIES = 128
# Number of scores of a block, over its rows and heads: few enough for the cache, many enough for full speed.
SCORES = 1 << 21
# Attention weights are kept for the backward pass up to this many bytes per call, and recomputed beyond.
_KEPT_BYTES = 1 << 28


class _Block(NamedTuple):
    """Queries ``start`` to ``stop`` of some rows of the batch, all heads at once."""

    rows: slice
    start: int
    stop: int


class _BlockedAttention(torch.autograd.Function):
    """Forward and backward in the same blocks; sums over blocks are taken in fp32."""

    @staticmethod
    def forward(
        ctx: Any, q_BHLD: Tensor, k_BKLD: Tensor, v_BKLD: Tensor, allowed_BLL: Tensor | None, scores: int
    ) -> Tensor:
        q_BHLD = q_BHLD * q_BHLD.shape[-1] ** -0.5
        out_BHLD = torch.empty_like(q_BHLD)
        keep = q_BHLD.shape[:2].numel() * q_BHLD.shape[2] ** 2 <= _KEPT_BYTES
        kept = []
        for block in _blocks(q_BHLD, scores):
            weights_NRS = _weights(q_BHLD, k_BKLD, allowed_BLL, block)
            _put(out_BHLD, torch.bmm(weights_NRS, _keys(v_BKLD, block)), block)
            if keep:
                kept.append(weights_NRS)
        ctx.save_for_backward(q_BHLD, k_BKLD, v_BKLD, allowed_BLL, *kept)
        ctx.scores = scores
        return out_BHLD

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        q_BHLD, k_BKLD, v_BKLD, allowed_BLL, *kept = ctx.saved_tensors
        grad_BHLD, kv_heads = gradients[0].contiguous(), k_BKLD.shape[1]
        dq_BHLD = torch.empty_like(q_BHLD)
        dk_BKLD, dv_BKLD = (torch.zeros(k_BKLD.shape, device=k_BKLD.device) for _ in range(2))
        for number, block in enumerate(_blocks(q_BHLD, ctx.scores)):
            weights_NRS = kept[number] if kept else _weights(q_BHLD, k_BKLD, allowed_BLL, block)
            grad_NRD = _queries(grad_BHLD, block, kv_heads)
            dweights_NRS = torch.bmm(grad_NRD, _keys(v_BKLD, block).transpose(1, 2))
            dscores_NRS = torch.ops.aten._softmax_backward_data(dweights_NRS, weights_NRS, -1, weights_NRS.dtype)
            _put(dq_BHLD, torch.bmm(dscores_NRS, _keys(k_BKLD, block)), block)
            queries_NRD = _queries(q_BHLD, block, kv_heads)
            _add(dk_BKLD, torch.bmm(dscores_NRS.transpose(1, 2), queries_NRD), block)
            _add(dv_BKLD, torch.bmm(weights_NRS.transpose(1, 2), grad_NRD), block)
        scale = q_BHLD.shape[-1] ** -0.5
        return dq_BHLD * scale, dk_BKLD.to(k_BKLD.dtype), dv_BKLD.to(v_BKLD.dtype), None, None


def trained_attention(
    q_BHLD: Tensor, k_BKLD: Tensor, v_BKLD: Tensor, allowed_BLL: Tensor | None = None, *, scores: int = SCORES
) -> Tensor:
    """Compute :func:`genolm.models.networks.attention.attention.plain_attention` with gradients.

    Queries and keys must have the same positions. ``scores`` is the number of scores of a block.
    """
    mixed: Tensor = _BlockedAttention.apply(q_BHLD, k_BKLD, v_BKLD, allowed_BLL, scores)  # type: ignore[no-untyped-call]
    return mixed


def _blocks(q_BHLD: Tensor, scores: int) -> Iterator[_Block]:
    batch, heads, length, _ = q_BHLD.shape
    rows = max(1, scores // (heads * min(_QUERIES, length) * length))
    for row in range(0, batch, rows):
        for start in range(0, length, _QUERIES):
            yield _Block(slice(row, min(row + rows, batch)), start, min(start + _QUERIES, length))


def _queries(values_BHLX: Tensor, block: _Block, kv_heads: int) -> Tensor:
    """Return the queries of a block, those of heads that share a key head concatenated: (N, R, X)."""
    values = values_BHLX[block.rows, :, block.start : block.stop]
    return values.reshape(values.shape[0] * kv_heads, -1, values.shape[-1])


def _keys(values_BKLD: Tensor, block: _Block) -> Tensor:
    """Return keys or values up to the end of the block, (N, S, D)."""
    return values_BKLD[block.rows, :, : block.stop].flatten(0, 1)


def _put(target_BHLD: Tensor, values_NRD: Tensor, block: _Block) -> None:
    values = target_BHLD[block.rows, :, block.start : block.stop]
    values.copy_(values_NRD.reshape(values.shape))


def _add(target_BKLD: Tensor, values_NSD: Tensor, block: _Block) -> None:
    values = target_BKLD[block.rows, :, : block.stop]
    values.add_(values_NSD.view(values.shape))


def _weights(q_BHLD: Tensor, k_BKLD: Tensor, allowed_BLL: Tensor | None, block: _Block) -> Tensor:
    """Return the attention weights of a block over the keys up to its end, (N, R, S)."""
    size, kv_heads = block.stop - block.start, k_BKLD.shape[1]
    scores_NRS = torch.bmm(_queries(q_BHLD, block, kv_heads), _keys(k_BKLD, block).transpose(1, 2))
    # finfo.min instead of -inf keeps a query that may attend to nothing finite.
    blocked = torch.finfo(scores_NRS.dtype).min
    if allowed_BLL is None:
        hidden_QQ = torch.full((size, size), blocked, dtype=scores_NRS.dtype, device=scores_NRS.device).triu_(1)
        scores_NRS.view(scores_NRS.shape[0], -1, size, block.stop)[..., block.start :].add_(hidden_QQ)
    else:
        visible = allowed_BLL[block.rows, block.start : block.stop, : block.stop].tril(block.start)
        shape = (visible.shape[0], -1, size, block.stop)
        scores_NRS.view(shape).masked_fill_(~visible[:, None], blocked)
    return scores_NRS.softmax(-1)
