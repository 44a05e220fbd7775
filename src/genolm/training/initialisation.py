"""The weights that a pretraining run starts from."""

from __future__ import annotations

import torch

from genolm.models.decoder import Decoder

_INTO_THE_STREAM = ("attention.output.weight", "ffn.down.weight", "ffn.down")


def initialise(network: Decoder, seed: int) -> Decoder:
    """Fill every weight anew, in place, from ``seed``.

    Matrices are normal with the config's ``initial_std``; those that write into the residual stream are scaled down by
    ``sqrt(2 * num_layers)``, so that its variance does not grow with depth; norms start at one.
    """
    generator = torch.Generator().manual_seed(seed)
    std = network.config.initial_std
    scaled = std / (2 * network.config.num_layers) ** 0.5
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if weight.ndim == 1:
                weight.fill_(1.0)
            else:
                weight.normal_(0.0, scaled if name.endswith(_INTO_THE_STREAM) else std, generator=generator)
    return network
