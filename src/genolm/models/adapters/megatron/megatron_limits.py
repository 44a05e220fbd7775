"""What the Megatron layout has no word for."""

from __future__ import annotations

from genolm.errors import ModelError
from genolm.models.networks.decoder_config import DecoderConfig


def refuse_inexpressible(config: DecoderConfig) -> None:
    """Refuse what neither Megatron-core nor the released Gengram module computes.

    Raises:
        ModelError: a k-mer table at the input, or a Gengram memory with another gate, hashed tables or no window.
    """
    memory = config.gengram
    part = None
    if config.kmer_orders:
        part = "a k-mer table"
    elif memory is not None and memory.gate != "signed-root":
        part = f"a Gengram gate {memory.gate!r}"
    elif memory is not None and any(memory.hashed(order) for order in memory.orders):
        part = "a hashed Gengram table"
    elif memory is not None and memory.window < memory.longest:
        part = "a Gengram memory without a window"
    if part is not None:
        raise ModelError(f"{part} cannot be expressed in the megatron layout; use layout 'genolm' (--to genolm)")
