"""Words of published encoder configs for sizes and activations, and ours; shared by BERT, BigBird and ModernBERT."""

from __future__ import annotations

from collections.abc import Mapping

SIZES: Mapping[str, str] = {
    "vocab_size": "vocab_size",
    "hidden_size": "hidden_size",
    "num_hidden_layers": "num_layers",
    "num_attention_heads": "num_heads",
    "intermediate_size": "ffn_size",
    "max_position_embeddings": "max_positions",
}
"""Their name of a size, and ours."""

ACTIVATIONS: Mapping[str, str] = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "silu": "silu",
    "swish": "silu",
}
"""Every name that is read for an activation, and ours."""

WRITTEN_ACTIVATIONS: Mapping[str, str] = {"gelu": "gelu", "gelu_tanh": "gelu_new", "silu": "silu"}
"""Our name of an activation, and the one that is written."""
