"""Reverse complement of a batch of token ids, in place within each row, for causal backbones that read both strands.

Shapes: B rows, L tokens, V vocabulary, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor


def reverse_strand(ids_BL: Tensor, mask_BL: Tensor, complement_V: Tensor) -> tuple[Tensor, Tensor]:
    """Reverse and complement each stretch of bases; padding and special tokens, such as those around it, stay.

    Args:
        ids_BL: token ids.
        mask_BL: True for real tokens.
        complement_V: id of the complement of each token; -1 for tokens that are no bases.

    Returns:
        Ids, (B, L), and for each token the position of the same base in them, (B, L); this map is its own inverse.
    """
    base_BL = (complement_V[ids_BL] >= 0) & mask_BL
    columns_L = torch.arange(ids_BL.shape[1], device=ids_BL.device)
    before_BL = torch.cat((torch.zeros_like(base_BL[:, :1]), base_BL[:, :-1]), 1)
    after_BL = torch.cat((base_BL[:, 1:], torch.zeros_like(base_BL[:, :1])), 1)
    start_BL = columns_L.where(base_BL & ~before_BL, -1).cummax(1).values
    end_BL = columns_L.where(base_BL & ~after_BL, ids_BL.shape[1]).flip(1).cummin(1).values.flip(1)
    mirror_BL = torch.where(base_BL, start_BL + end_BL - columns_L, columns_L)
    turned_BL = torch.where(base_BL, complement_V[ids_BL.gather(1, mirror_BL)].to(ids_BL.dtype), ids_BL)
    return turned_BL, mirror_BL


def join_strands(forward_BLD: Tensor, reverse_BLD: Tensor, mirror_BL: Tensor) -> Tensor:
    """Return both states of each base, (B, L, 2 D): that of the forward strand, then that of the reverse strand.

    Args:
        forward_BLD: states of the sequence.
        reverse_BLD: states of the reverse complement, in its own order.
        mirror_BL: position of each base in the reverse complement, as :func:`reverse_strand` returns.
    """
    turned_BLD = reverse_BLD.gather(1, mirror_BL[..., None].expand_as(reverse_BLD))
    return torch.cat((forward_BLD, turned_BLD), -1)
