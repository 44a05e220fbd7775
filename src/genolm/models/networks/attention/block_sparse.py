"""Block-sparse attention in plain PyTorch, linear in the length of the input.

Sparse rows of blocks gather their few key blocks and multiply in batches; global rows see all keys. The work is split
into pieces whose scores fit the processor's cache, and no piece is kept for the backward pass.

Shapes: H heads, L tokens of one sequence, D width of a head, b tokens of a block, N key blocks of all heads, P sparse
query blocks of all heads, M key blocks of one of them, p query blocks of a piece.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from genolm.errors import ModelError
from genolm.models.networks.attention.block_layout import BlockLayout, blocks_of
from genolm.models.networks.attention.encoder_attention import full_attention

# Number of scores of a piece: few enough for a processor's cache, many enough for a GPU.
_SCORES_ON_CPU = 1 << 18
_SCORES_ON_GPU = 1 << 25


def block_sparse_attention(q_HLD: Tensor, k_HLD: Tensor, v_HLD: Tensor, layout: BlockLayout) -> Tensor:
    """Compute the attention of one sequence with a layout, with gradients; scores are scaled by the head width.

    The sequence is padded to complete blocks; keys of padding are masked. A layout with more blocks than the sequence
    describes a sequence that is padded to them, as in the batches of the published code.

    Args:
        q_HLD: queries, rotated if positions are rotary.
        k_HLD: keys, likewise.
        v_HLD: values.
        layout: layout for at least L tokens, of H heads or shared by all, on the device of the queries.

    Returns:
        The output, (H, L, D).

    Raises:
        ModelError: the layout is for fewer tokens or another number of heads.
    """
    _check(q_HLD, layout)
    if min(layout.stop, blocks_of(q_HLD.shape[1], layout.block)) <= layout.first:
        return full_attention(q_HLD[None], k_HLD[None], v_HLD[None])[0]
    q_HLD, k_HLD, v_HLD = (_autocast(x) for x in (q_HLD, k_HLD, v_HLD))
    # One head after the other on a CPU, so that intermediate values stay in the cache.
    together = 1 if q_HLD.device.type == "cpu" else q_HLD.shape[0]
    groups = zip(*(x.split(together) for x in (q_HLD, k_HLD, v_HLD)), strict=True)
    with _no_autocast(q_HLD.device):
        mixed = [_some_heads(q, k, v, layout.of_heads(i * together, together)) for i, (q, k, v) in enumerate(groups)]
    # The heads of a token are contiguous in memory, as the last product of the layer reads them.
    return torch.cat([x.transpose(0, 1) for x in mixed], 1).transpose(0, 1)


def _autocast(values_HLD: Tensor) -> Tensor:
    """Convert to the precision of autocast, which would otherwise cast single steps of a piece."""
    kind = values_HLD.device.type
    if not (torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)):
        return values_HLD
    return values_HLD.to(torch.get_autocast_dtype(kind))


def _no_autocast(device: torch.device) -> AbstractContextManager[Any]:
    return torch.autocast(device.type, enabled=False) if torch.amp.is_autocast_available(device.type) else nullcontext()


def plain_block_attention(q_HLD: Tensor, k_HLD: Tensor, v_HLD: Tensor, layout: BlockLayout) -> Tensor:
    """Reference implementation of :func:`block_sparse_attention` in fp32 with the complete score matrix."""
    return (block_attention_weights(q_HLD, k_HLD, layout) @ v_HLD.float()).to(q_HLD.dtype)


def block_attention_weights(q_HLD: Tensor, k_HLD: Tensor, layout: BlockLayout) -> Tensor:
    """Return the attention map, fp32 (H, L, L), of queries (rows) over keys; memory is quadratic in the length."""
    length = q_HLD.shape[1]
    _check(q_HLD, layout)
    scores_HLL = q_HLD.float() @ k_HLD.float().transpose(1, 2) * q_HLD.shape[-1] ** -0.5
    added_HLL = _added_everywhere(layout).repeat_interleave(layout.block, 1).repeat_interleave(layout.block, 2)
    return (scores_HLL + added_HLL[:, :length, :length]).softmax(-1)


def _added_everywhere(layout: BlockLayout) -> Tensor:
    """Return the logarithm of the count of each column in each row of blocks, (H or 1, blocks, blocks)."""
    keys_HRM = layout.keys_HRM
    often_HCC = torch.ones(keys_HRM.shape[0], layout.num_blocks, layout.num_blocks, device=keys_HRM.device)
    if layout.stop > layout.first:
        counts_HRM = torch.ones(keys_HRM.shape, device=keys_HRM.device)
        if layout.added_HRM is not None:
            counts_HRM = layout.added_HRM.exp()
        often_HCC[:, layout.first : layout.stop] = 0
        often_HCC[:, layout.first : layout.stop].scatter_add_(2, keys_HRM, counts_HRM)
    return often_HCC.log()


def _check(q_HLD: Tensor, layout: BlockLayout) -> None:
    heads, length, _ = q_HLD.shape
    if length > layout.num_blocks * layout.block:
        raise ModelError(f"{length} tokens exceed the layout of {layout.num_blocks} blocks of {layout.block} tokens")
    if layout.keys_HRM.shape[0] not in (1, heads):
        raise ModelError(f"the layout has {layout.keys_HRM.shape[0]} heads, but the queries have {heads}")


def _some_heads(q_HLD: Tensor, k_HLD: Tensor, v_HLD: Tensor, layout: BlockLayout) -> Tensor:
    """Compute the attention of the heads of a layout, (H, L, D)."""
    length, block = q_HLD.shape[1], layout.block
    rows = blocks_of(length, block)
    first, stop = layout.first, min(layout.stop, rows)
    q_HSD = _padded(q_HLD * q_HLD.shape[-1] ** -0.5, rows * block)
    k_HSD, v_HSD = (_padded(x, layout.num_blocks * block) for x in (k_HLD, v_HLD))
    parts = [_sparse_rows(q_HSD[:, first * block : stop * block], k_HSD, v_HSD, length, layout)]
    k_HLD, v_HLD = k_HSD[:, :length], v_HSD[:, :length]
    if first > 0:
        parts.insert(0, _global_rows(q_HSD[:, : first * block], k_HLD, v_HLD))
    if stop < rows:
        parts.append(_global_rows(q_HSD[:, stop * block :], k_HLD, v_HLD))
    return torch.cat(parts, 1)[:, :length]


def _padded(values_HLD: Tensor, length: int) -> Tensor:
    """Pad with zeros to ``length`` and make the values of each head contiguous."""
    missing = length - values_HLD.shape[1]
    return F.pad(values_HLD, (0, 0, 0, missing)) if missing else values_HLD.contiguous()


def _global_rows(q_HRD: Tensor, k_HLD: Tensor, v_HLD: Tensor) -> Tensor:
    """Compute the attention of scaled queries over all keys."""
    return F.scaled_dot_product_attention(q_HRD[None], k_HLD[None], v_HLD[None], scale=1.0)[0]


def _sparse_rows(q_HRD: Tensor, k_HSD: Tensor, v_HSD: Tensor, length: int, layout: BlockLayout) -> Tensor:
    """Compute the attention of the sparse rows of scaled queries, in complete blocks, over their key blocks."""
    heads, block = len(q_HRD), layout.block
    rows = q_HRD.shape[1] // block
    q_PbD, k_NbD, v_NbD = (x.reshape(-1, block, x.shape[-1]) for x in (q_HRD, k_HSD, v_HSD))
    places_PM = _places(layout, heads, rows)
    added_PS = _added(layout, heads, rows, length, q_HRD.dtype)
    mixed_PbD: Tensor = _SparseRows.apply(q_PbD, k_NbD, v_NbD, places_PM, added_PS)  # type: ignore[no-untyped-call]
    return mixed_PbD.view(q_HRD.shape)


def _places(layout: BlockLayout, heads: int, rows: int) -> Tensor:
    """Return the indices of the key blocks of each query block among those of all heads, (P, M)."""
    starts_H11 = torch.arange(heads, device=layout.keys_HRM.device)[:, None, None] * layout.num_blocks
    return (layout.keys_HRM[:, :rows] + starts_H11).flatten(0, 1)


def _added(layout: BlockLayout, heads: int, rows: int, length: int, dtype: torch.dtype) -> Tensor | None:
    """Return the values to add to the scores of each query block over its keys, (P, 1, M x b); None for none."""
    keys_HRM, added_HRM = layout.keys_HRM[:, :rows], layout.added_HRM
    padding = layout.num_blocks * layout.block - length
    if not padding and added_HRM is None:
        return None
    added_HRMb = torch.zeros((*keys_HRM.shape, layout.block), device=keys_HRM.device)
    if added_HRM is not None:
        added_HRMb += added_HRM[:, :rows, :, None]
    if padding:
        place_b = torch.arange(layout.block, device=keys_HRM.device)
        added_HRMb.masked_fill_(keys_HRM[..., None] * layout.block + place_b >= length, -math.inf)
    return added_HRMb.to(dtype).flatten(2).expand(heads, -1, -1).flatten(0, 1)[:, None]


class _SparseRows(torch.autograd.Function):
    """Forward and backward in the same pieces. Gradients of keys are summed in place in fp32; otherwise a block that
    many rows gather would need a gradient tensor per piece."""

    @staticmethod
    def forward(
        ctx: Any, q_PbD: Tensor, k_NbD: Tensor, v_NbD: Tensor, places_PM: Tensor, added_PS: Tensor | None
    ) -> Tensor:
        out_PbD = torch.empty_like(q_PbD)
        for piece in _pieces(q_PbD, places_PM):
            _mix(q_PbD, k_NbD, v_NbD, places_PM, added_PS, piece, out_PbD)
        ctx.save_for_backward(q_PbD, k_NbD, v_NbD, places_PM, added_PS, out_PbD)
        return out_PbD

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        with _no_autocast(gradients[0].device):
            return *_gradients(gradients[0].contiguous(), *ctx.saved_tensors), None, None


def _gradients(
    grad_PbD: Tensor,
    q_PbD: Tensor,
    k_NbD: Tensor,
    v_NbD: Tensor,
    places_PM: Tensor,
    added_PS: Tensor | None,
    out_PbD: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Compute the gradients of the queries, keys and values of :class:`_SparseRows`."""
    # Softmax's backward needs each query's product of output and gradient, summed over its width.
    shared_Pb1 = (grad_PbD.float() * out_PbD.float()).sum(-1, keepdim=True).to(q_PbD.dtype)
    dq_PbD = torch.empty_like(q_PbD)
    dk_NX, dv_NX = (torch.zeros(k_NbD.shape, device=k_NbD.device).flatten(1) for _ in range(2))
    for piece in _pieces(q_PbD, places_PM):
        places_pM, grad_pbD = places_PM[piece], grad_PbD[piece]
        weights_pbS = _weights(q_PbD, k_NbD, places_PM, added_PS, piece)
        dscores_pbS = torch.bmm(grad_pbD, _gathered(v_NbD, places_pM).transpose(1, 2))
        dscores_pbS.sub_(shared_Pb1[piece]).mul_(weights_pbS)
        torch.bmm(dscores_pbS, _gathered(k_NbD, places_pM), out=dq_PbD[piece])
        _add(dk_NX, torch.bmm(dscores_pbS.transpose(1, 2), q_PbD[piece]), places_pM)
        _add(dv_NX, torch.bmm(weights_pbS.transpose(1, 2), grad_pbD), places_pM)
    return dq_PbD, dk_NX.view(k_NbD.shape).to(k_NbD.dtype), dv_NX.view(v_NbD.shape).to(v_NbD.dtype)


def _pieces(q_PbD: Tensor, places_PM: Tensor) -> Iterator[slice]:
    scores = q_PbD.shape[1] ** 2 * places_PM.shape[1]
    step = max(1, (_SCORES_ON_CPU if q_PbD.device.type == "cpu" else _SCORES_ON_GPU) // scores)
    for start in range(0, len(q_PbD), step):
        yield slice(start, start + step)


def _gathered(values_NbD: Tensor, places_pM: Tensor) -> Tensor:
    """Return the key blocks of each query block, concatenated: (p, M x b, D)."""
    blocks, width = places_pM.shape, values_NbD.shape[-1]
    return values_NbD.flatten(1).index_select(0, places_pM.flatten()).view(blocks[0], -1, width)


def _add(total_NX: Tensor, values_pSD: Tensor, places_pM: Tensor) -> None:
    """Add the gradients of gathered blocks to those of their blocks."""
    total_NX.index_add_(0, places_pM.flatten(), values_pSD.view(-1, total_NX.shape[1]).float())


def _mix(
    q_PbD: Tensor,
    k_NbD: Tensor,
    v_NbD: Tensor,
    places_PM: Tensor,
    added_PS: Tensor | None,
    piece: slice,
    out_PbD: Tensor,
) -> None:
    """Write the output of a piece into ``out``.

    In bf16 on a CPU torch's fused kernel is used, faster than products and with scores in fp32. On a GPU, and in the
    backward pass, scores have the precision of the queries: with large ones (standard deviation 6) bf16 then differs
    from fp32 by about 1.5 %.
    """
    values_pSD = _gathered(v_NbD, places_PM[piece])
    if q_PbD.device.type != "cpu" or q_PbD.dtype != torch.bfloat16:
        torch.bmm(_weights(q_PbD, k_NbD, places_PM, added_PS, piece), values_pSD, out=out_PbD[piece])
        return
    q, k, v = (x[:, None] for x in (q_PbD[piece], _gathered(k_NbD, places_PM[piece]), values_pSD))
    added = None if added_PS is None else added_PS[piece][:, None].expand(-1, -1, q.shape[2], -1)
    out_PbD[piece] = F.scaled_dot_product_attention(q, k, v, attn_mask=added, scale=1.0)[:, 0]


def _weights(q_PbD: Tensor, k_NbD: Tensor, places_PM: Tensor, added_PS: Tensor | None, piece: slice) -> Tensor:
    """Return the attention weights of a piece over the keys that its query blocks gather, (p, b, M x b)."""
    scores_pbS = torch.bmm(q_PbD[piece], _gathered(k_NbD, places_PM[piece]).transpose(1, 2))
    if added_PS is not None:
        scores_pbS.add_(added_PS[piece])
    return scores_pbS.softmax(-1)
