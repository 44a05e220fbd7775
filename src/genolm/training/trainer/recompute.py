"""Layers whose inside is computed again for the gradients instead of being kept (activation checkpointing)."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch.utils.checkpoint import checkpoint

from genolm.models.networks.network import Network


class Recomputation:
    """Switches it on and off for the layers of a network; results are the same bits either way.

    Args:
        network: the network.
    """

    def __init__(self, network: Network) -> None:
        self._layers = list(network.layers)
        self._plain: list[Any] = [layer.forward for layer in self._layers]

    def switch(self, on: bool) -> None:
        """Recompute from now on, or keep."""
        for layer, plain in zip(self._layers, self._plain, strict=True):
            layer.forward = partial(checkpoint, plain, use_reentrant=False) if on else plain
