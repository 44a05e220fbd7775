"""Batches without padding: the real tokens of all rows stand one after the other.

Shapes: B rows, L tokens of the longest row, T real tokens of all rows together.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genolm.errors import ModelError


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

    def last(self, device: torch.device) -> Tensor:
        """Place of each row's last token among the real ones, (B,); every row has one."""
        return torch.tensor(self.lengths, device=device).cumsum(0) - 1
