"""Rotary position embedding (Su et al. 2021) in the half-split convention of the published decoders."""

from __future__ import annotations

import torch
from torch import Tensor


def rotary_angles(positions_BL: Tensor, head_dim: int, theta: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines of every position, fp32, each (B, 1, L, head_dim / 2).

    The product position x frequency is taken in fp32 because the published models were trained with it.
    """
    exponents = torch.arange(0, head_dim, 2, dtype=torch.float32, device=positions_BL.device) / head_dim
    frequencies = 1.0 / theta**exponents
    angles = positions_BL[:, None, :, None].float() * frequencies
    return angles.cos(), angles.sin()


def rotate(x_BHLD: Tensor, cos_B1LF: Tensor, sin_B1LF: Tensor) -> Tensor:
    """Queries or keys turned by their position: dimension i pairs with dimension i + head_dim / 2."""
    first, second = x_BHLD.chunk(2, -1)
    cos, sin = cos_B1LF.to(x_BHLD.dtype), sin_B1LF.to(x_BHLD.dtype)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), -1)
