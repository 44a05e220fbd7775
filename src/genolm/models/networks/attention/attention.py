"""Causal attention with grouped queries, in equivalent implementations, and rotary positions.

Shapes: B batch, H query heads, K key-value heads, G = H / K queries per key head, L queries, S keys (S >= L: the
keys of a cache come first), D head width. Query l is at key position ``S - L + l`` and sees keys up to there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from genolm.models.kernels.kernels import Operation
from genolm.models.networks.attention.attention_training import SCORES, trained_attention

AttentionFunction = Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]

# Keys up to which a block is computed at once, so that its scores stay in the processor's cache.
_KEYS_OF_ONE_SOFTMAX = 8192
_KEYS_AT_A_TIME = 2048
_HEADS_AT_A_TIME = 2  # key heads


def plain_attention(q_BHLD: Tensor, k_BKSD: Tensor, v_BKSD: Tensor, allowed_BLS: Tensor | None = None) -> Tensor:
    """Reference implementation in fp32 with the complete score matrix.

    Args:
        q_BHLD: rotated queries.
        k_BKSD: rotated keys.
        v_BKSD: values.
        allowed_BLS: True where a query may attend, in addition to causality; None for causality alone.

    Returns:
        The output, (B, H, L, D); zero for a query that may attend to nothing.
    """
    groups = q_BHLD.shape[1] // k_BKSD.shape[1]
    k = k_BKSD.float().repeat_interleave(groups, 1)
    v = v_BKSD.float().repeat_interleave(groups, 1)
    scores = q_BHLD.float() @ k.transpose(-1, -2) * q_BHLD.shape[-1] ** -0.5
    visible = _visible(q_BHLD.shape[2], k.shape[2], allowed_BLS, q_BHLD.device)
    weights = scores.masked_fill(~visible, float("-inf")).softmax(-1).nan_to_num(0.0)
    return (weights @ v).to(q_BHLD.dtype)


def sdpa_attention(q_BHLD: Tensor, k_BKSD: Tensor, v_BKSD: Tensor, allowed_BLS: Tensor | None = None) -> Tensor:
    """Compute torch's fused attention; arguments and result as in :func:`plain_attention`."""
    num_queries, num_keys = q_BHLD.shape[2], k_BKSD.shape[2]
    grouped = q_BHLD.shape[1] != k_BKSD.shape[1]
    if allowed_BLS is None and num_queries in (1, num_keys):
        causal = num_queries > 1
        return F.scaled_dot_product_attention(q_BHLD, k_BKSD, v_BKSD, is_causal=causal, enable_gqa=grouped)
    visible = _visible(num_queries, num_keys, allowed_BLS, q_BHLD.device)
    # A row that sees nothing (a padding query) would be NaN, so it sees itself; its output is not used.
    visible = visible | _own_position(num_queries, num_keys, q_BHLD.device)
    return F.scaled_dot_product_attention(q_BHLD, k_BKSD, v_BKSD, attn_mask=visible, enable_gqa=grouped)


def expanded_attention(q_BHLD: Tensor, k_BKSD: Tensor, v_BKSD: Tensor, allowed_BLS: Tensor | None = None) -> Tensor:
    """Compute torch's fused attention with a copy of the keys and values for every query head."""
    groups = q_BHLD.shape[1] // k_BKSD.shape[1]
    k, v = k_BKSD.repeat_interleave(groups, 1), v_BKSD.repeat_interleave(groups, 1)
    return sdpa_attention(q_BHLD, k, v, allowed_BLS)


def blocked_attention(
    q_BHLD: Tensor,
    k_BKSD: Tensor,
    v_BKSD: Tensor,
    allowed_BLS: Tensor | None = None,
    *,
    block: int | None = None,
    scores: int = SCORES,
) -> Tensor:
    """Compute attention by matrix products of query blocks with their keys; arguments as in :func:`plain_attention`.

    On a CPU with bf16 matrix instructions this is about twice as fast as the fused kernel, which multiplies in fp32.
    The scores of a block are about the size of the processor's cache; memory grows linearly with S. ``block`` is the
    number of queries of a block; by default 128, and 256 for many keys. A block has queries of one row of the batch, or
    without a mask of as many rows as have at most ``scores`` scores together.
    """
    batch, heads, num_queries, width = q_BHLD.shape
    kv_heads, num_keys = k_BKSD.shape[1], k_BKSD.shape[2]
    groups, past = heads // kv_heads, num_keys - num_queries
    q_BKGLD = (q_BHLD * width**-0.5).view(batch, kv_heads, groups, num_queries, width)
    out = torch.empty_like(q_BHLD).view(batch, kv_heads, groups, num_queries, width)
    length = min(block or (128 if num_keys <= _KEYS_OF_ONE_SOFTMAX else 256), num_queries)
    together = 1 if allowed_BLS is not None else max(1, scores // (heads * length * num_keys))
    heads_at_a_time = _HEADS_AT_A_TIME if together == 1 else kv_heads
    triangles: dict[int, Tensor] = {}
    for b in range(0, batch, together):
        rows = slice(b, b + together)
        for start in range(0, num_queries, length):
            stop = min(start + length, num_queries)
            seen, size = past + stop, stop - start
            if allowed_BLS is not None:
                hidden = _hidden_in_block(start, stop, past, allowed_BLS[b], q_BHLD).repeat(groups, 1)
            elif size in triangles:
                hidden = triangles[size]
            else:
                hidden = triangles[size] = _triangle(size, q_BHLD).repeat(groups, 1)
            for h in range(0, kv_heads, heads_at_a_time):
                part = rows, slice(h, h + heads_at_a_time)
                q_NRD = q_BKGLD[*part, :, start:stop].reshape(-1, groups * size, width)
                k_NSD, v_NSD = (values[*part, :seen].flatten(0, 1) for values in (k_BKSD, v_BKSD))
                into = out[*part, :, start:stop]
                into.copy_(_mix(q_NRD, k_NSD, v_NSD, hidden).view(into.shape))
    return out.view(batch, heads, num_queries, width)


def _mix(q_NRD: Tensor, k_NSD: Tensor, v_NSD: Tensor, hidden_RT: Tensor) -> Tensor:
    """Return the output for R queries; ``hidden`` is added to the scores of the last T keys."""
    if k_NSD.shape[1] <= _KEYS_OF_ONE_SOFTMAX:
        return torch.bmm(_scores(q_NRD, k_NSD, hidden_RT, 0, k_NSD.shape[1]).softmax(-1), v_NSD)
    total, norm, highest = _first_instalment(q_NRD, k_NSD, v_NSD, hidden_RT)
    for begin in range(_KEYS_AT_A_TIME, k_NSD.shape[1], _KEYS_AT_A_TIME):
        end = min(begin + _KEYS_AT_A_TIME, k_NSD.shape[1])
        scores = _scores(q_NRD, k_NSD, hidden_RT, begin, end)
        top = torch.maximum(highest, scores.amax(-1, keepdim=True))
        weights = scores.sub_(top).exp_()
        # Rescale the sums so far to the new highest score.
        fade = (highest.float() - top.float()).exp_()
        total.mul_(fade).add_(torch.bmm(weights, v_NSD[:, begin:end]))
        norm.mul_(fade).add_(weights.sum(-1, keepdim=True, dtype=torch.float32))
        highest = top
    return (total / norm).to(q_NRD.dtype)


def _first_instalment(q_NRD: Tensor, k_NSD: Tensor, v_NSD: Tensor, hidden_RT: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Start an online softmax: return the sums of weighted values and of weights in fp32, and the highest score."""
    scores = _scores(q_NRD, k_NSD, hidden_RT, 0, _KEYS_AT_A_TIME)
    highest = scores.amax(-1, keepdim=True)
    weights = scores.sub_(highest).exp_()
    total = torch.bmm(weights, v_NSD[:, :_KEYS_AT_A_TIME]).float()
    return total, weights.sum(-1, keepdim=True, dtype=torch.float32), highest


def _scores(q_NRD: Tensor, k_NSD: Tensor, hidden_RT: Tensor, begin: int, end: int) -> Tensor:
    """Return the scores of keys ``begin`` to ``end``; ``hidden`` belongs to the last T of all keys."""
    scores = torch.bmm(q_NRD, k_NSD[:, begin:end].transpose(1, 2))
    tail = k_NSD.shape[1] - hidden_RT.shape[1]
    first = max(begin, tail)
    if first < end:
        scores[..., first - begin :].add_(hidden_RT[:, first - tail : end - tail])
    return scores


ATTENTION: Operation[AttentionFunction] = Operation(
    "attention",
    {
        "fused": sdpa_attention,
        "expanded": expanded_attention,
        "blocked": blocked_attention,
        "blocks of 64": partial(blocked_attention, block=64),
        "blocks of 256": partial(blocked_attention, block=256),
    },
)
"""Attention without gradients on a CPU."""

TRAINED_ATTENTION: Operation[AttentionFunction] = Operation(
    "trained_attention",
    {
        "fused": sdpa_attention,
        "expanded": expanded_attention,
        "blocked": trained_attention,
        "small blocks": partial(trained_attention, scores=SCORES // 4),
    },
)
"""Attention with gradients on a CPU, of queries and keys at the same positions."""

_SHORTEST_CLASS, _LONGEST_CLASS = 64, 32_768


def choose_attention(q_BHLD: Tensor, k_BKSD: Tensor, masked: bool) -> AttentionFunction:
    """Choose the implementation: on a CPU the kernel of the run, elsewhere torch's fused kernel."""
    num_queries, num_keys = q_BHLD.shape[2], k_BKSD.shape[2]
    training = torch.is_grad_enabled() and q_BHLD.requires_grad
    if q_BHLD.device.type != "cpu" or num_queries == 1 or (training and num_queries != num_keys):
        return sdpa_attention
    case = attention_case(q_BHLD, k_BKSD, masked)
    if training:
        return TRAINED_ATTENTION.kernel(case, default_trained_attention(q_BHLD.dtype))
    return ATTENTION.kernel(case, default_attention(q_BHLD, k_BKSD, masked))


def default_attention(q_BHLD: Tensor, k_BKSD: Tensor, masked: bool) -> str:
    """Return the default implementation without gradients: blocks for long bf16 inputs and for large masks."""
    num_queries, num_keys = q_BHLD.shape[2], k_BKSD.shape[2]
    long_bf16 = q_BHLD.dtype == torch.bfloat16 and num_queries >= 128
    large_mask = (masked or num_queries < num_keys) and num_queries * num_keys >= 1 << 22
    return "blocked" if long_bf16 or large_mask else "fused"


def default_trained_attention(dtype: torch.dtype) -> str:
    """Return the default implementation with gradients: blocks in bf16."""
    return "blocked" if dtype == torch.bfloat16 else "fused"


def attention_case(q_BHLD: Tensor, k_BKSD: Tensor, masked: bool) -> str:
    """Return the class of shapes: precision, heads and their width, mask, and keys rounded up to a power of two.

    For example ``bfloat16 16/8x64 whole 8192``: 16 query heads on 8 key heads of width 64, as many queries as keys.
    """
    heads, kv_heads, width, num_keys = q_BHLD.shape[1], k_BKSD.shape[1], q_BHLD.shape[3], k_BKSD.shape[2]
    relation = "whole" if q_BHLD.shape[2] == num_keys else "continued"
    keys = min(max(_SHORTEST_CLASS, 1 << (num_keys - 1).bit_length()), _LONGEST_CLASS)
    dtype = str(q_BHLD.dtype).removeprefix("torch.")
    return f"{dtype} {heads}/{kv_heads}x{width} {relation}{' masked' if masked else ''} {keys}"


def _visible(num_queries: int, num_keys: int, allowed_BLS: Tensor | None, device: torch.device) -> Tensor:
    causal = torch.ones(num_queries, num_keys, dtype=torch.bool, device=device).tril(num_keys - num_queries)
    return causal if allowed_BLS is None else (causal & allowed_BLS)[:, None]


def _own_position(num_queries: int, num_keys: int, device: torch.device) -> Tensor:
    own_LS = torch.zeros(num_queries, num_keys, dtype=torch.bool, device=device)
    own_LS.diagonal(num_keys - num_queries).fill_(True)
    return own_LS


def _triangle(rows: int, like: Tensor) -> Tensor:
    """Return the mask of the last columns of a block's scores for causality alone, as :func:`_hidden_in_block`."""
    return torch.full((rows, rows), torch.finfo(like.dtype).min, dtype=like.dtype, device=like.device).triu_(1)


def _hidden_in_block(start: int, stop: int, past: int, allowed_LS: Tensor, like: Tensor) -> Tensor:
    """Return the mask of a block's scores: 0 where a query may attend, very negative elsewhere."""
    # finfo.min instead of -inf keeps a row that may attend to nothing finite.
    blocked = torch.finfo(like.dtype).min
    rows, seen = stop - start, past + stop
    causal = torch.ones(rows, seen, dtype=torch.bool, device=like.device).tril_(past + start)
    hidden = torch.zeros(rows, seen, dtype=like.dtype, device=like.device)
    return hidden.masked_fill_(~(causal & allowed_LS[start:stop, :seen]), blocked)


def rotary_angles(positions_BL: Tensor, head_dim: int, theta: float) -> tuple[Tensor, Tensor]:
    """Return cosines and sines of each position, fp32, (B, 1, L, head_dim / 2) each (Su et al. 2021).

    The product of position and frequency is computed in fp32, as in the training of the published models.
    """
    exponents = torch.arange(0, head_dim, 2, dtype=torch.float32, device=positions_BL.device) / head_dim
    frequencies = 1.0 / theta**exponents
    angles = positions_BL[:, None, :, None].float() * frequencies
    return angles.cos(), angles.sin()


def rotate(x_BHLD: Tensor, cos_B1LF: Tensor, sin_B1LF: Tensor) -> Tensor:
    """Rotate queries or keys by their position: dimension i is paired with dimension i + head_dim / 2.

    The result is contiguous. Operations on complete heads are several times as fast on a CPU as on their halves.
    """
    cos, sin = cos_B1LF.to(x_BHLD.dtype), sin_B1LF.to(x_BHLD.dtype)
    x_BHLD = x_BHLD.contiguous()
    other_BHLD = x_BHLD.roll(x_BHLD.shape[-1] // 2, -1)
    return x_BHLD * torch.cat((cos, cos), -1) + other_BHLD * torch.cat((-sin, sin), -1)
