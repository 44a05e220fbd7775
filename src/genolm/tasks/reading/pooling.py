"""How the vectors of many tokens become one. B sequences, L tokens, D dimensions, W windows of one sequence."""

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
    """A way to pool, always in fp32 and over real tokens only, whichever side the padding is on.

    Attributes:
        name: ``mean``, ``max`` or ``min`` of every dimension, the ``last`` token's vector, ``none``: all of them, or
            ``bases``: all of them, each as often as it has bases.

    Raises:
        InputError: another name.
    """

    name: PoolingName = "mean"

    def __post_init__(self) -> None:
        if self.name not in get_args(PoolingName):
            raise InputError(f"pooling is one of {', '.join(get_args(PoolingName))}", value=self.name)

    @property
    def reduces(self) -> bool:
        """Whether many vectors become one."""
        return self.name not in ("none", "bases")

    def reduce(self, x_BLD: Tensor, mask_BL: Tensor) -> list[Float32]:
        """One array for every sequence: (D,), or (tokens, D) where nothing is reduced.

        Args:
            x_BLD: vectors in any precision.
            mask_BL: True at real tokens; every row has one.
        """
        if not self.reduces:
            return [x_LD[mask_L].float().cpu().numpy() for x_LD, mask_L in zip(x_BLD, mask_BL)]
        return list(_REDUCE[self.name](x_BLD, mask_BL).float().cpu().numpy())

    def join(self, pooled_WD: Sequence[Float32], tokens_W: Sequence[int]) -> Float32:
        """The pooled values of consecutive windows as those of all their tokens.

        Args:
            pooled_WD: what :meth:`reduce` gave for every window.
            tokens_W: how many tokens each has.
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
        """The mean over strands; where nothing is reduced the reverse complement is turned round first."""
        turned = reverse if self.reduces else reverse[::-1]
        return ((forward + turned) / np.float32(2)).astype(np.float32)


def _mean(x_BLD: Tensor, mask_BL: Tensor) -> Tensor:
    # A masked sum rather than a product with the mask, so that an infinite pad cannot become NaN.
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
