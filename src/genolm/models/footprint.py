"""Memory needs of a model, computed from its config."""

from __future__ import annotations

from genolm.models.networks.network_config import NetworkConfig

BYTES = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}
_FIXED = 64 * 2**20  # buffers of the allocator and of the matrix library


def activation_bytes(config: NetworkConfig, tokens: int, width: int, *, logits: bool = True) -> int:
    """Return the peak memory of a pass over ``tokens`` tokens, without weights and cache, in bytes; linear in tokens.

    That of ``pass_bytes`` of the config, and the buffers of the allocator and of the matrix library.

    Args:
        config: decoder or encoder.
        tokens: number of tokens in the batch.
        width: bytes per activation.
        logits: whether logits of all tokens are computed.
    """
    return _FIXED + config.pass_bytes(tokens, width, logits=logits)


def peak_bytes(config: NetworkConfig, tokens: int, width: int) -> int:
    """Return the size of weights, folded tables and activations of a pass without a cache, in bytes."""
    return config.parameters * width + config.table_bytes(width) + activation_bytes(config, tokens, width)
