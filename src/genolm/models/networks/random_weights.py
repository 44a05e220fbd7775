"""Random weights that are the same on every machine.

They are taken from the bits of a counter-based stream, because the last bit of a vectorised normal generator depends on
the processor.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np
import torch
from torch import Tensor

from genolm.models.networks.decoder import Decoder
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.network import Network, make_network
from genolm.models.networks.network_config import NetworkConfig


def random_network(
    config: NetworkConfig, seed: int, base_ids: tuple[int, int, int, int] = (8, 5, 6, 7), n_id: int = 9
) -> Network:
    """Make a network with fp32 weights that depend on ``seed``, names and shapes only.

    Matrices are uniform with variance ``1 / fan_in``, so that logits and router choices vary as in a trained network;
    norm gains are spread around one, so that a forgotten norm shows; biases around zero.
    """
    network = make_network(config, base_ids, n_id)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            uniform = _uniform(f"{seed} {name}", weight.numel()).view(weight.shape)
            if weight.ndim == 1:
                weight.copy_(0.25 * uniform + (0.0 if name.endswith("bias") else 1.0))
            else:
                weight.copy_(uniform * math.sqrt(3.0 / weight.shape[-1]))
    return network


def random_decoder(
    config: DecoderConfig, seed: int, base_ids: tuple[int, int, int, int] = (8, 5, 6, 7), n_id: int = 9
) -> Decoder:
    """Make a decoder as :func:`random_network` does."""
    network = random_network(config, seed, base_ids, n_id)
    assert isinstance(network, Decoder)
    return network


def _uniform(key: str, count: int) -> Tensor:
    """Return ``count`` fp32 values in [-1, 1) from the upper 24 bits of a PCG64 stream, which numpy keeps stable."""
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:16], "little")
    bits = np.random.PCG64(seed).random_raw(count) >> np.uint64(40)
    return torch.from_numpy((bits.astype(np.float32) / np.float32(1 << 23)) - np.float32(1.0))
