"""Scaling of tracks for training, and its inverse (AlphaGenome, Avsec et al. 2026).

Values are divided by the mean of the non-zero values of their track. Squashed tracks are also raised to the power 0.75,
and above 10 replaced by ``2 * sqrt(10 * value) - 10``, which continues with equal value and slope.

Shapes: T tracks.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_POWER = 0.75
_LINEAR_UP_TO = 10.0


def scale_tracks(values: Tensor, means: Sequence[float], squashed: Sequence[bool] | None = None) -> Tensor:
    """Return training targets for the values of tracks, (…, T).

    Args:
        values: values in the unit of the tracks, not negative.
        means: mean of the non-zero values of each track.
        squashed: whether to squash each track; None for all.
    """
    divided = values / values.new_tensor(means)
    powered = divided.pow(_POWER)
    bent = 2 * (_LINEAR_UP_TO * powered).sqrt() - _LINEAR_UP_TO
    squeezed = torch.where(powered <= _LINEAR_UP_TO, powered, bent)
    return _of_squashed(squashed, squeezed, divided)


def unscale_tracks(scaled: Tensor, means: Sequence[float], squashed: Sequence[bool] | None = None) -> Tensor:
    """Return the values of tracks, (…, T), from outputs on the scale of the targets.

    Arguments as for :func:`scale_tracks`; values below zero become zero.
    """
    scaled = scaled.clamp(min=0.0)
    powered = torch.where(scaled <= _LINEAR_UP_TO, scaled, (scaled + _LINEAR_UP_TO).square() / (4 * _LINEAR_UP_TO))
    return _of_squashed(squashed, powered.pow(1 / _POWER), scaled) * scaled.new_tensor(means)


def _of_squashed(squashed: Sequence[bool] | None, values: Tensor, plain: Tensor) -> Tensor:
    if squashed is None:
        return values
    return torch.where(torch.tensor(squashed, device=values.device), values, plain)
