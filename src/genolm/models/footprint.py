"""Memory needs of a model, computed from its config."""

from __future__ import annotations

from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.encoder_config import EncoderConfig
from genolm.models.networks.network_config import NetworkConfig

BYTES = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}
_ROWS_AT_ONCE = 8192  # tokens that a feed-forward block processes at a time
_READ_AT_ONCE = 1024  # tokens that a Gengram memory averages at a time
_FIXED = 64 * 2**20  # buffers of the allocator and of the matrix library


def activation_bytes(config: NetworkConfig, tokens: int, width: int, *, logits: bool = True) -> int:
    """Return the peak memory of a pass over ``tokens`` tokens, without weights and cache, in bytes; linear in tokens.

    Counted for a decoder: residual stream, norm and attention output (4 D), queries and their output (2 H d), keys and
    values, plain and rotated (4 H_kv d), the inner activations of 8,192 tokens at a time (3 F for every chosen expert),
    and logits and log-probabilities in fp32 (2 V). Counted for an encoder, whose attention works in bounded pieces:
    residual stream, norm, queries, keys, values, mixed values and their projection (8 D; 10 D with rotated queries and
    keys), inner activations of all tokens (2 F, gated 3 F), and logits and log-probabilities (2 V).

    Args:
        config: decoder or encoder.
        tokens: number of tokens in the batch; padding costs a decoder as much as tokens, an encoder only its share of
            the output.
        width: bytes per activation.
        logits: whether logits of all tokens are computed.
    """
    if isinstance(config, EncoderConfig):
        return _FIXED + _encoder_bytes(config, tokens, width, logits)
    heads = 2 * config.num_heads * config.head_dim + 4 * config.num_kv_heads * config.head_dim
    stream = tokens * (4 * config.hidden_size + heads) * width
    inner = min(tokens, _ROWS_AT_ONCE) * 3 * config.ffn_size * max(1, config.experts_per_token) * width
    head = tokens * 2 * config.vocab_size * 4 if logits else 0
    return _FIXED + stream + inner + head + _memory_bytes(config, tokens, width)


def _encoder_bytes(config: EncoderConfig, tokens: int, width: int, logits: bool) -> int:
    stream = (10 if config.positions == "rotary" else 8) * config.hidden_size
    inner = (3 if config.gated else 2) * config.ffn_size
    head = 2 * config.vocab_size * 4 if config.masked_head and logits else 0
    return tokens * ((stream + inner) * width + head)


def _memory_bytes(config: DecoderConfig, tokens: int, width: int) -> int:
    """Return the memory of one Gengram module: k-mers (4 int64) and gated values (2 D); averaged rows and projections
    (orders x dim and 2 D) of the tokens that are read at a time, which are all tokens under ``released-bf16``."""
    memory = config.gengram
    if memory is None:
        return 0
    at_once = tokens if memory.compat == "released-bf16" else min(tokens, _READ_AT_ONCE)
    read = at_once * (len(memory.orders) * memory.dim + 2 * config.hidden_size) * 2 * width
    return tokens * (4 * 8 + 2 * config.hidden_size * width) + read


def cache_bytes(config: NetworkConfig, tokens: int, width: int) -> int:
    """Return the size of a decoder's key-value cache for ``tokens`` tokens, in bytes; 0 for an encoder."""
    return config.cache_bytes(tokens, width) if isinstance(config, DecoderConfig) else 0


def table_bytes(config: NetworkConfig, width: int) -> int:
    """Return the size of the folded tables that inference keeps for the Gengram memories of all layers, in bytes.

    Zero under ``released-bf16``, whose running sums cannot be folded, and for an encoder.
    """
    memory = config.gengram if isinstance(config, DecoderConfig) else None
    if memory is None or memory.compat == "released-bf16":
        return 0
    return len(memory.layers) * memory.folded_bytes(config.hidden_size, width)


def peak_bytes(config: NetworkConfig, tokens: int, width: int) -> int:
    """Return the size of weights, folded tables and activations of a pass without a cache, in bytes."""
    return config.parameters * width + table_bytes(config, width) + activation_bytes(config, tokens, width)
