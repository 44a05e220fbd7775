"""Pooling of token vectors. B sequences, L tokens, D dimensions, W windows of one sequence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from genolm.arrays import Float32
from genolm.errors import InputError

PoolingName = Literal["mean", "max", "min", "last", "none", "bases"]


@dataclass(frozen=True, slots=True)
class Pooling:
    """Pooling method; computed in fp32 over real tokens, with padding on either side.

    Attributes:
        name: ``mean``, ``max`` or ``min`` of each dimension; ``last``: the vector of the last token; ``none``: one
            vector per token; ``bases``: one vector per base, that of its token.

    Raises:
        InputError: if the name is unknown.
    """

    name: PoolingName = "mean"

    def __post_init__(self) -> None:
        if self.name not in get_args(PoolingName):
            raise InputError(f"pooling must be one of {', '.join(get_args(PoolingName))}", value=self.name)

    @property
    def reduces(self) -> bool:
        """Whether a sequence gets a single vector."""
        return self.name not in ("none", "bases")

    def reduce(self, x_BLD: Tensor, mask_BL: Tensor) -> list[Float32]:
        """Return one array per sequence: (D,), or (tokens, D) without pooling.

        Args:
            x_BLD: vectors in any precision.
            mask_BL: True at real tokens; at least one per row.
        """
        if not self.reduces:
            return [x_LD[mask_L].float().cpu().numpy() for x_LD, mask_L in zip(x_BLD, mask_BL)]
        return list(_REDUCE[self.name](x_BLD, mask_BL).float().cpu().numpy())

    def join(self, pooled_WD: Sequence[Float32], tokens_W: Sequence[int]) -> Float32:
        """Combine the pooled values of consecutive windows into those of all their tokens.

        Args:
            pooled_WD: result of :meth:`reduce` for each window.
            tokens_W: number of tokens of each window.
        """
        if len(pooled_WD) == 1:
            return pooled_WD[0]
        match self.name:
            case "mean":
                return np.average(np.stack(pooled_WD).astype(np.float64), axis=0, weights=tokens_W).astype(np.float32)
            case "max":
                return np.max(pooled_WD, axis=0)
            case "min":
                return np.min(pooled_WD, axis=0)
            case "last":
                return pooled_WD[-1]
        return np.concatenate(pooled_WD)

    def both_strands(self, forward: Float32, reverse: Float32) -> Float32:
        """Return the mean of both strands; without pooling, the reverse strand is flipped first."""
        aligned = reverse if self.reduces else reverse[::-1]
        return ((forward + aligned) / np.float32(2)).astype(np.float32)


def _mean(x_BLD: Tensor, mask_BL: Tensor) -> Tensor:
    # masked_fill rather than a product with the mask, so that infinite padding cannot become NaN.
    x_BLD = x_BLD.float().masked_fill(~mask_BL[..., None], 0.0)
    return x_BLD.sum(1) / mask_BL.sum(1, keepdim=True)


def _max(x_BLD: Tensor, mask_BL: Tensor) -> Tensor:
    return x_BLD.masked_fill(~mask_BL[..., None], float("-inf")).amax(1)


def _min(x_BLD: Tensor, mask_BL: Tensor) -> Tensor:
    return x_BLD.masked_fill(~mask_BL[..., None], float("inf")).amin(1)


def _last(x_BLD: Tensor, mask_BL: Tensor) -> Tensor:
    positions_L = torch.arange(mask_BL.shape[1], device=mask_BL.device)
    last_B = (positions_L * mask_BL).argmax(1)
    return x_BLD[torch.arange(len(x_BLD), device=x_BLD.device), last_B]


_REDUCE: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = MappingProxyType(
    {"mean": _mean, "max": _max, "min": _min, "last": _last}
)
