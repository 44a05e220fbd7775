"""Packing of batches: the real tokens of all rows, concatenated without padding.

Shapes: B rows, L tokens of the longest row, T real tokens of all rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genolm.errors import ModelError


@dataclass(frozen=True, slots=True)
class Packing:
    """Positions of the real tokens in a batch.

    Attributes:
        shape: B and L.
        lengths: number of real tokens in each row.
        index_T: index of each real token in the flattened batch; None if all tokens are real.
        position_T: index of each real token among those of its row.
    """

    shape: tuple[int, int]
    lengths: tuple[int, ...]
    index_T: Tensor | None
    position_T: Tensor

    @classmethod
    def of(cls, shape: tuple[int, int], mask_BL: Tensor | None, device: torch.device) -> Packing:
        """Return the packing of a batch; without a mask all tokens are real."""
        rows, length = shape
        if mask_BL is None or bool(mask_BL.all()):
            return cls(shape, (length,) * rows, None, torch.arange(length, device=device).repeat(rows))
        mask_BL = mask_BL.bool()
        lengths = tuple(mask_BL.sum(1).tolist())
        index_T = mask_BL.flatten().nonzero()[:, 0]
        return cls(shape, lengths, index_T, (mask_BL.cumsum(1) - 1).flatten()[index_T])

    def pack(self, values_BL: Tensor) -> Tensor:
        """Return the values of the real tokens: (B, L, …) to (T, …)."""
        flat = values_BL.flatten(0, 1)
        return flat if self.index_T is None else flat[self.index_T]

    def unpack(self, values_T: Tensor) -> Tensor:
        """Inverse of :meth:`pack`; padding is zero: (T, …) to (B, L, …)."""
        if self.index_T is None:
            return values_T.unflatten(0, self.shape)
        padded = values_T.new_zeros(self.shape[0] * self.shape[1], *values_T.shape[1:])
        return padded.index_copy_(0, self.index_T, values_T).unflatten(0, self.shape)

    def first(self, device: torch.device) -> Tensor:
        """Return the index of each row's first token among all real tokens, (B,).

        Raises:
            ModelError: a row has no tokens.
        """
        if 0 in self.lengths:
            raise ModelError(f"row {self.lengths.index(0)} (0-based) has no tokens to pool")
        ends = torch.tensor(self.lengths, device=device).cumsum(0)
        return ends - torch.tensor(self.lengths, device=device)

    def last(self, device: torch.device) -> Tensor:
        """Return the index of each row's last token among all real tokens, (B,); every row must have one."""
        return torch.tensor(self.lengths, device=device).cumsum(0) - 1
