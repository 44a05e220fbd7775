"""``config.json`` of the Hugging Face layout, translated both ways; what we cannot compute is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genolm.errors import ModelError
from genolm.models.adapters.json_values import number, require, whole
from genolm.models.networks.decoder_config import DecoderConfig

MODEL_TYPES = ("mixtral", "mistral", "llama")

_SIZES = {
    "vocab_size": "vocab_size",
    "hidden_size": "hidden_size",
    "num_hidden_layers": "num_layers",
    "num_attention_heads": "num_heads",
    "intermediate_size": "ffn_size",
    "max_position_embeddings": "max_positions",
}
_EXPERTS = {"num_local_experts": "num_experts", "num_experts_per_tok": "experts_per_token"}
# Settings that change the mathematics, with the only values under which the decoder of this package computes the same.
_ONLY: Mapping[str, tuple[Any, ...]] = {
    "hidden_act": ("silu", "swish", None),
    "attention_bias": (False, None),
    "mlp_bias": (False, None),
    "partial_rotary_factor": (1, 1.0, None),
    "quantization_config": (None,),
    "is_encoder_decoder": (False, None),
}


def read_config(values: Mapping[str, Any], *, file: str | Path = "config.json") -> DecoderConfig:
    """The decoder that a Mixtral, Mistral or Llama ``config.json`` describes.

    Raises:
        ModelError: another ``model_type``, a missing or impossible value, a sliding window, a bias, scaled positions,
            another activation, quantised weights.
    """
    kind = values.get("model_type")
    if kind not in MODEL_TYPES:
        told = "there is no model_type" if kind is None else f"model_type {kind!r} is not known"
        raise ModelError(f"{file}: {told}; known are {', '.join(MODEL_TYPES)}, genolm-decoder")
    require(values, _ONLY, file)
    _refuse_window(values, kind, file)
    sizes: dict[str, Any] = {ours: whole(values, theirs, file) for theirs, ours in _SIZES.items()}
    if kind == "mixtral":
        sizes |= {ours: whole(values, theirs, file) for theirs, ours in _EXPERTS.items()}
    return _decoder(values, sizes, file)


def _decoder(values: Mapping[str, Any], sizes: dict[str, Any], file: str | Path) -> DecoderConfig:
    try:
        return DecoderConfig(
            **sizes,
            num_kv_heads=whole(values, "num_key_value_heads", file, default=sizes["num_heads"]),
            head_dim=_head_dim(values, sizes, file),
            rope_theta=_rope_theta(values, file),
            norm_eps=number(values, "rms_norm_eps", file),
            pad_id=_pad(values, sizes["vocab_size"], file),
            tied=bool(values.get("tie_word_embeddings", False)),
            router_aux_coef=number(values, "router_aux_loss_coef", file, default=1e-3),
            router_z_coef=number(values, "router_z_loss_coef", file, default=1e-3),
            initial_std=number(values, "initializer_range", file, default=0.02),
        )
    except ModelError as error:
        text = str(error)
        raise ModelError(text if text.startswith(f"{file}: ") else f"{file}: {text}") from error


def write_config(config: DecoderConfig, dtype: str = "float32") -> dict[str, Any]:
    """``config.json`` under which transformers computes what our decoder computes.

    Args:
        config: the decoder.
        dtype: type of the stored weights, ``float32``, ``bfloat16`` or ``float16``.

    Raises:
        ModelError: the decoder has a k-mer table or memory, for which this layout has no word.
    """
    if not expressible(config):
        part = "a k-mer table" if config.kmer_orders else "a Gengram memory"
        raise ModelError(f"{part} cannot be expressed in the huggingface layout; use layout 'genolm' (--to genolm)")
    kind, name = ("mixtral", "MixtralForCausalLM") if config.num_experts else ("mistral", "MistralForCausalLM")
    written: dict[str, Any] = {"architectures": [name], "model_type": kind, "torch_dtype": dtype}
    names = {**_SIZES, **_EXPERTS} if config.num_experts else _SIZES
    written |= {theirs: getattr(config, ours) for theirs, ours in names.items()}
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
    """Whether the layout has a word for everything in the decoder."""
    return not config.kmer_orders and config.gengram is None


def _refuse_window(values: Mapping[str, Any], kind: str, file: str | Path) -> None:
    if values.get("sliding_window") is not None:
        raise ModelError(f"{file}: sliding_window {values['sliding_window']!r} is not supported; it must be null")
    if kind == "mistral" and "sliding_window" not in values:
        raise ModelError(
            f"{file}: sliding_window is absent, which means 4096 for mistral; write null for full attention"
        )


def _rope_theta(values: Mapping[str, Any], file: str | Path) -> float:
    scaling = {**(values.get("rope_scaling") or {}), **(values.get("rope_parameters") or {})}
    kind = scaling.get("rope_type", scaling.get("type", "default"))
    if kind != "default":
        raise ModelError(f"{file}: rope_type {kind!r} is not supported; only unscaled positions are")
    if scaling.get("partial_rotary_factor", 1) != 1:
        raise ModelError(f"{file}: partial_rotary_factor {scaling['partial_rotary_factor']!r} is not supported")
    return number({**values, **scaling}, "rope_theta", file)


def _head_dim(values: Mapping[str, Any], sizes: Mapping[str, int], file: str | Path) -> int:
    if values.get("head_dim") is not None:
        return whole(values, "head_dim", file)
    if sizes["hidden_size"] % sizes["num_heads"]:
        raise ModelError(f"{file}: head_dim is null and hidden_size is not a multiple of num_attention_heads")
    return sizes["hidden_size"] // sizes["num_heads"]


def _pad(values: Mapping[str, Any], vocab_size: int, file: str | Path) -> int:
    pad = whole(values, "pad_token_id", file, default=14 if vocab_size > 14 else 0)
    if not 0 <= pad < vocab_size:
        raise ModelError(f"{file}: pad_token_id {pad} is outside the vocabulary of {vocab_size}")
    return pad
