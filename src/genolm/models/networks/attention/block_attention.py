"""Attention of the layers of a BigBird encoder, with the layout for each row.

Shapes: B rows, H heads, R tokens of a row, D width of a head, C blocks of a layout.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import torch
from torch import Tensor

from genolm.models.networks.attention.block_layout import (
    BlockLayout,
    blocks_of,
    deepspeed_layout,
    sampled_layout,
    seeded_blocks,
    zero_blocks,
)
from genolm.models.networks.attention.block_sparse import block_sparse_attention
from genolm.models.networks.attention.encoder_attention import RowAttention
from genolm.models.networks.encoder_config import BlockSparseConfig, EncoderConfig

LayoutOf = Callable[[int], BlockLayout]
"""Function that returns the layout for an input length, in tokens."""


def initial_layout(config: EncoderConfig, layer: int) -> Tensor | None:
    """Return the block layout that a layer stores, uint8 (H, C, C), sampled with the layer as seed; None without one.

    Without storage if the network is built on ``torch.device("meta")``.
    """
    sparse = config.sparse
    if sparse is None or sparse.random_blocks != "stored":
        return None
    count = blocks_of(config.max_positions, sparse.block)
    layout_HCC = torch.empty(config.num_heads, count, count, dtype=torch.uint8)
    if layout_HCC.is_meta:
        return layout_HCC
    return sampled_layout(config.num_heads, count, layer, num_random=min(sparse.random, count))


def block_attentions(
    config: EncoderConfig, sparse: BlockSparseConfig, stored: Sequence[Tensor | None], padded_to: int | None = None
) -> list[RowAttention]:
    """Return the attention of each layer for one pass; a layout is made once per pass for each length.

    Each row is treated by its own length, regardless of its batch: the position of its last block, and whether a stock
    BigBird attends to it in full (:func:`genolm.models.networks.attention.block_layout.full_up_to`).

    Args:
        config: config of the network.
        sparse: pattern of its attention.
        stored: layout stored with each layer, for ``deepspeed`` patterns.
        padded_to: for ``bigbird`` patterns: length to which the published code pads a batch, and by which it treats
            all rows; None for the length of each row.
    """
    layers = range(config.num_layers)
    if sparse.kind == "deepspeed":
        own = [_deepspeed(layout, sparse) for layout in stored if layout is not None]
        # The published kernels were cached by length only, so that all layers ran with the layout of the first.
        return [_row_attention(own[layer if sparse.per_layer_layout else 0]) for layer in layers]
    if sparse.random_blocks == "zero":
        shared = cache(lambda tokens: zero_blocks(padded_to or tokens, sparse.block, sparse.random))
        return [_row_attention(shared)] * config.num_layers
    return [_row_attention(_seeded(config, sparse, layer, padded_to)) for layer in layers]


def _deepspeed(stored_HCC: Tensor, sparse: BlockSparseConfig) -> LayoutOf:
    return cache(lambda tokens: deepspeed_layout(stored_HCC, tokens, sparse.block))


def _seeded(config: EncoderConfig, sparse: BlockSparseConfig, layer: int, padded_to: int | None) -> LayoutOf:
    def layout_of(tokens: int) -> BlockLayout:
        return seeded_blocks(
            padded_to or tokens,
            sparse.block,
            sparse.random,
            heads=config.num_heads,
            layer=layer,
            max_tokens=config.max_positions,
        )

    return cache(layout_of)


def _row_attention(layout_of: LayoutOf) -> RowAttention:
    def attention(q_BHRD: Tensor, k_BHRD: Tensor, v_BHRD: Tensor) -> Tensor:
        layout = layout_of(q_BHRD.shape[2]).to(q_BHRD.device)
        rows = [block_sparse_attention(q, k, v, layout) for q, k, v in zip(q_BHRD, k_BHRD, v_BHRD, strict=True)]
        return rows[0][None] if len(rows) == 1 else torch.stack(rows)

    return attention
