"""``config.json`` of decoders in the Hugging Face layout, read and written; unsupported settings are refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genolm.errors import ModelError
from genolm.models.adapters.config_fields import SIZES, Field, check_values, read_field, read_fields
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.remedies import Remedy

MODEL_TYPES = ("mixtral", "mistral", "llama")

_EXPERTS = (Field("num_local_experts", "num_experts"), Field("num_experts_per_tok", "experts_per_token"))
_FIELDS = (
    *SIZES,
    Field("num_key_value_heads", "num_kv_heads", default=0),
    Field("head_dim", "head_dim", default=0),
    Field("rms_norm_eps", "norm_eps", "number"),
    Field("pad_token_id", "pad_id", default=-1),
    Field("router_aux_loss_coef", "router_aux_coef", "number", default=1e-3),
    Field("router_z_loss_coef", "router_z_coef", "number", default=1e-3),
    Field("initializer_range", "initial_std", "number", default=0.02),
)
_ROPE_THETA = Field("rope_theta", "rope_theta", "number")
# Settings that change the mathematics, with the only values under which the decoder of this package computes the same.
_SUPPORTED: Mapping[str, tuple[Any, ...]] = {
    "hidden_act": ("silu", "swish", None),
    "attention_bias": (False, None),
    "mlp_bias": (False, None),
    "partial_rotary_factor": (1, 1.0, None),
    "quantization_config": (None,),
    "is_encoder_decoder": (False, None),
    "sliding_window": (None,),
}


def read_config(values: Mapping[str, Any], *, file: str | Path = "config.json") -> DecoderConfig:
    """Read the ``config.json`` of a Mixtral, Mistral or Llama model.

    Raises:
        ModelError: another ``model_type``, a missing or invalid value, or an unsupported setting: a sliding window, a
            bias, scaled positions, another activation, quantised weights.
    """
    kind = values.get("model_type")
    if kind not in MODEL_TYPES:
        problem = "model_type is missing" if kind is None else f"unknown model_type {kind!r}"
        raise ModelError(f"{file}: {problem}; expected one of {', '.join(MODEL_TYPES)}, genolm-decoder")
    check_values(values, _SUPPORTED, file)
    if kind == "mistral" and "sliding_window" not in values:
        raise ModelError(
            f"{file}: sliding_window is absent, which means 4096 for mistral; write null for full attention"
        )
    fields = read_fields(values, (*_FIELDS, *_EXPERTS) if kind == "mixtral" else _FIELDS, file)
    fields["rope_theta"] = read_field({**values, **_unscaled_rope(values, file)}, _ROPE_THETA, file)
    fields["tied"] = bool(values.get("tie_word_embeddings", False))
    try:
        return DecoderConfig(**_with_defaults(values, fields))
    except ModelError as error:
        raise ModelError(f"{file}: {error}") from error


def _with_defaults(values: Mapping[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """Fill in what follows from other fields: key-value heads, head width and padding."""
    heads, hidden, rows = fields["num_heads"], fields["hidden_size"], fields["vocab_size"]
    if values.get("num_key_value_heads") is None:
        fields["num_kv_heads"] = heads
    if values.get("head_dim") is None:
        if heads < 1 or hidden % heads:
            raise ModelError("head_dim is null and hidden_size is not a multiple of num_attention_heads")
        fields["head_dim"] = hidden // heads
    if values.get("pad_token_id") is None:
        fields["pad_id"] = 14 if rows > 14 else 0
    if not 0 <= fields["pad_id"] < rows:
        raise ModelError(f"pad_token_id {fields['pad_id']} is outside the vocabulary of {rows}")
    return fields


def _unscaled_rope(values: Mapping[str, Any], file: str | Path) -> dict[str, Any]:
    """Return the settings of rotary positions in either published form; an error if they are scaled."""
    rope = {**(values.get("rope_scaling") or {}), **(values.get("rope_parameters") or {})}
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind != "default":
        raise ModelError(f"{file}: rope_type {kind!r} is not supported; only unscaled positions are")
    if rope.get("partial_rotary_factor", 1) != 1:
        raise ModelError(f"{file}: partial_rotary_factor {rope['partial_rotary_factor']!r} is not supported")
    return rope


def write_config(config: DecoderConfig, dtype: str = "float32") -> dict[str, Any]:
    """Return a ``config.json`` with which transformers computes the same as our decoder.

    Args:
        config: decoder.
        dtype: type of the stored weights: ``float32``, ``bfloat16`` or ``float16``.

    Raises:
        ModelError: the decoder has a k-mer table or a Gengram memory, which this layout cannot express.
    """
    if not expressible(config):
        part = "a k-mer table" if config.kmer_orders else "a Gengram memory"
        raise ModelError(
            f"{part} cannot be expressed in the huggingface layout",
            code="unsupported-by-model",
            remedy=Remedy("to", "genolm", "use a layout that can"),
        )
    kind, name = ("mixtral", "MixtralForCausalLM") if config.num_experts else ("mistral", "MistralForCausalLM")
    written: dict[str, Any] = {"architectures": [name], "model_type": kind, "torch_dtype": dtype}
    sizes = (*SIZES, *_EXPERTS) if config.num_experts else SIZES
    written |= {field.key: getattr(config, field.name) for field in sizes}
    written |= {
        "num_key_value_heads": config.num_kv_heads,
        "head_dim": config.head_dim,
        "rope_theta": config.rope_theta,
        "rms_norm_eps": config.norm_eps,
        "tie_word_embeddings": config.tied,
        "initializer_range": config.initial_std,
        "hidden_act": "silu",
        "attention_dropout": 0.0,
        "sliding_window": None,
        "pad_token_id": config.pad_id,
        "bos_token_id": None,
        "eos_token_id": None,
    }
    if config.num_experts:
        written |= {"router_aux_loss_coef": config.router_aux_coef, "router_z_loss_coef": config.router_z_coef}
    return written


def expressible(config: DecoderConfig) -> bool:
    """Return whether the layout can express the decoder."""
    return not config.kmer_orders and config.gengram is None
