"""Memory by arithmetic, for people who decide what to run where."""

from __future__ import annotations

from genolm.models.config import DecoderConfig

BYTES = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}
_ROWS_AT_ONCE = 8192  # tokens for which a feed-forward block holds its inner activations together
_FIXED = 64 * 2**20  # buffers of the allocator and of the matrix library


def activation_bytes(config: DecoderConfig, tokens: int, width: int) -> int:
    """Bytes that a pass over ``tokens`` tokens needs beyond weights and cache, at its peak; linear in them.

    Counted: residual stream, norm and attention output (4 D), queries and their output (2 H d), keys and values, plain
    and rotated (4 H_kv d), the inner activations of 8,192 tokens at a time (3 F for every chosen expert), and logits
    and log-probabilities in fp32 (2 V).

    Args:
        config: the decoder.
        tokens: tokens of the batch, pads included.
        width: bytes of one activation.
    """
    heads = 2 * config.num_heads * config.head_dim + 4 * config.num_kv_heads * config.head_dim
    stream = tokens * (4 * config.hidden_size + heads) * width
    inner = min(tokens, _ROWS_AT_ONCE) * 3 * config.ffn_size * max(1, config.experts_per_token) * width
    return _FIXED + stream + inner + tokens * 2 * config.vocab_size * 4


def peak_bytes(config: DecoderConfig, tokens: int, width: int) -> int:
    """Weights and activations of one pass without a cache, as ``embed`` and ``score`` make it."""
    return config.parameters * width + activation_bytes(config, tokens, width)
