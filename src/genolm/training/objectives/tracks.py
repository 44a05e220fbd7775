"""Objective of track heads: values of every base.

Shapes: N bases that count, T tracks.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
from torch import Tensor

from genolm.models.heads.head_config import TrackHeadConfig
from genolm.models.heads.headed_network import HeadedNetwork
from genolm.models.heads.track_scaling import unscale_tracks
from genolm.training.objectives.head_objective import HeadObjective, mean_correlation, moments
from genolm.training.trainer.objective import Sums

_TINY = 1e-7  # keeps the logarithm of a prediction of 0 finite


def squared_error(predicted: Tensor, target: Tensor) -> Tensor:
    """Return the squared error of every value."""
    return (predicted - target).square()


def poisson_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """Return the negative Poisson log-likelihood of every value, without the term that depends on the target only."""
    return predicted - target * (predicted + _TINY).log()


TRACK_LOSSES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {"mse": squared_error, "poisson": poisson_loss}
"""Losses of tracks by their name in a recipe."""


class TrackObjective(HeadObjective):
    """Mean loss over bases and tracks, in the scale of the head.

    Args:
        head: name of the head.
        config: config of the head.
        loss: name of the loss in :data:`TRACK_LOSSES`.
        device: device of the network.
        bf16: whether the backbone uses bf16.
    """

    higher_is_better: Collection[str] = ("pearson_log1p",)

    def __init__(self, head: str, config: TrackHeadConfig, loss: str, device: torch.device, bf16: bool) -> None:
        super().__init__(head, config.outputs, device, bf16)
        self._config, self._loss = config, TRACK_LOSSES[loss]

    def held_out_metrics(self, sums: Mapping[str, Any]) -> dict[str, float | None]:
        """Return the loss, and the Pearson correlation of log1p of the values in their units, averaged over tracks."""
        return {"loss": sums["loss"] / sums["weight"], "pearson_log1p": mean_correlation(sums)}

    def _total(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return self._loss(outputs, targets).sum()

    def _further(self, network: HeadedNetwork, outputs: Tensor, targets: Tensor) -> Sums:
        return moments(self._in_units(outputs).log1p(), self._in_units(targets).log1p())

    def _in_units(self, values_NT: Tensor) -> Tensor:
        if not self._config.means:
            return values_NT
        return unscale_tracks(values_NT, self._config.means, self._config.squashed or None)
