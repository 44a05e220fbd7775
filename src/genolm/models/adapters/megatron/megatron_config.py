"""Arguments that a Megatron run stores with its weights, read and written; unsupported settings are refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from genolm.errors import ModelError
from genolm.models.adapters.config_fields import Field, read_field
from genolm.models.adapters.megatron.megatron import refuse_inexpressible
from genolm.models.adapters.megatron.megatron_gengram import memory_arguments, read_memory
from genolm.models.adapters.pieces import StoredTensor
from genolm.models.networks.decoder_config import DecoderConfig

OURS = "genolm_config"
"""Argument with our config as JSON, for settings without an argument in Megatron."""

_SIZES = {
    "padded_vocab_size": "vocab_size",
    "hidden_size": "hidden_size",
    "num_layers": "num_layers",
    "num_attention_heads": "num_heads",
    "max_position_embeddings": "max_positions",
}
# Settings that change the mathematics, with the only values under which the decoder of this package computes the same.
_ONLY: Mapping[str, tuple[Any, ...]] = {
    "normalization": ("RMSNorm",),
    "swiglu": (True,),
    "position_embedding_type": ("rope",),
    "rotary_percent": (1.0, 1),
    "rotary_interleaved": (False,),
    "use_rope_scaling": (False,),
    "rotary_seq_len_interpolation_factor": (None,),
    "no_rope_freq": (None,),
    "add_bias_linear": (False,),
    "add_qkv_bias": (False,),
    "qk_layernorm": (False,),
    "qk_l2_norm": (False,),
    "apply_layernorm_1p": (False,),
    "apply_residual_connection_post_layernorm": (False,),
    "attention_output_gate": (False,),
    "multi_latent_attention": (False,),
    "window_size": (None,),
    "softmax_type": ("vanilla",),
    "activation_func_clamp_value": (None,),
    "glu_linear_offset": (0.0, 0),
    "mtp_num_layers": (None, 0),
    "moe_router_pre_softmax": (False,),
    "moe_router_score_function": ("softmax",),
    "moe_router_enable_expert_bias": (False,),
    "moe_router_topk_scaling_factor": (None,),
    "moe_router_num_groups": (None,),
    "moe_apply_probs_on_input": (False,),
    "moe_shared_expert_intermediate_size": (None, 0),
    "moe_expert_capacity_factor": (None,),
}


def read_arguments(
    values: Mapping[str, Any], stored: Mapping[str, StoredTensor], where: str, like: DecoderConfig | None = None
) -> DecoderConfig:
    """Return the decoder that the arguments of a run describe.

    Args:
        values: arguments by name; empty if the checkpoint has none.
        stored: tensors of the checkpoint, for what the arguments do not state about a Gengram memory.
        where: name of the checkpoint in errors.
        like: config of a model of the same shape, for what the checkpoint does not state.

    Raises:
        ModelError: an argument is missing or invalid, or a setting is not supported.
    """
    if not values:
        if like is None:
            raise ModelError(
                f"{where}: the checkpoint has no arguments, so its shape is unknown; name a model of the"
                " same shape (--like)"
            )
        return replace(like, gengram=read_memory(values, stored, where, like.gengram))
    for key, allowed in _ONLY.items():
        if key in values and values[key] not in allowed:
            raise ModelError(f"{where}: {key} {values[key]!r} is not supported; {key} must be {allowed[0]!r}")
    _refuse_dense_layers(values, where)
    if OURS in values:
        return _stored(values, where)
    try:
        return _decoder(values, stored, where, like)
    except ModelError as error:
        text = str(error)
        raise ModelError(text if text.startswith(f"{where}: ") else f"{where}: {text}") from error


def _decoder(
    values: Mapping[str, Any], stored: Mapping[str, StoredTensor], where: str, like: DecoderConfig | None
) -> DecoderConfig:
    sizes: dict[str, Any] = {ours: _whole(values, theirs, where) for theirs, ours in _SIZES.items()}
    sizes["num_kv_heads"] = _groups(values, sizes["num_heads"], where)
    sizes["head_dim"] = _head_dim(values, sizes, where)
    experts = values.get("num_experts") is not None
    sizes["ffn_size"] = _whole(values, "ffn_hidden_size", where)
    if experts:
        sizes["num_experts"] = _whole(values, "num_experts", where)
        sizes["experts_per_token"] = _whole(values, "moe_router_topk", where)
        sizes["ffn_size"] = _whole(values, "moe_ffn_hidden_size", where, default=sizes["ffn_size"])
    return DecoderConfig(
        **sizes,
        rope_theta=_number(values, "rotary_base", where),
        norm_eps=_number(values, "norm_epsilon", where, default=1e-5),
        pad_id=like.pad_id if like is not None else 14 if sizes["vocab_size"] > 14 else 0,
        tied=not values.get("untie_embeddings_and_output_weights", False),
        router_aux_coef=_number(values, "moe_aux_loss_coeff", where, default=0.0) if experts else 1e-3,
        router_z_coef=_number(values, "moe_z_loss_coeff", where, default=0.0) if experts else 1e-3,
        initial_std=_number(values, "init_method_std", where, default=0.02),
        gengram=read_memory(values, stored, where, None if like is None else like.gengram),
    )


def write_arguments(config: DecoderConfig) -> dict[str, Any]:
    """Return the arguments with which Megatron-core builds this decoder on one process.

    Raises:
        ModelError: the layout cannot express the decoder.
    """
    refuse_inexpressible(config)
    written: dict[str, Any] = {theirs: getattr(config, ours) for theirs, ours in _SIZES.items()}
    written |= {
        "seq_length": config.max_positions,
        "group_query_attention": True,
        "num_query_groups": config.num_kv_heads,
        "kv_channels": config.head_dim,
        "ffn_hidden_size": config.ffn_size,
        "num_experts": config.num_experts or None,
        "rotary_base": config.rope_theta,
        "norm_epsilon": config.norm_eps,
        "untie_embeddings_and_output_weights": not config.tied,
        "init_method_std": config.initial_std,
        "transformer_impl": "transformer_engine",
        "tensor_model_parallel_size": 1,
        "pipeline_model_parallel_size": 1,
        "expert_model_parallel_size": 1,
        **{key: allowed[0] for key, allowed in _ONLY.items()},
    }
    if config.num_experts:
        written |= {
            "moe_ffn_hidden_size": config.ffn_size,
            "moe_router_topk": config.experts_per_token,
            "moe_aux_loss_coeff": config.router_aux_coef,
            "moe_z_loss_coeff": config.router_z_coef,
            "moe_router_dtype": "fp32",
            "moe_grouped_gemm": False,
            "moe_layer_freq": 1,
        }
    if config.gengram is not None:
        written |= memory_arguments(config.gengram)
    return written | {OURS: json.dumps(config.to_dict())}


def _stored(values: Mapping[str, Any], where: str) -> DecoderConfig:
    """Return our own config in the arguments; an error if other arguments contradict it."""
    try:
        config = DecoderConfig.from_dict(json.loads(values[OURS]))
        expected = write_arguments(config)
    except (ModelError, TypeError, ValueError) as error:
        raise ModelError(f"{where}: {OURS}: {error}") from error
    for key, value in expected.items():
        if key != OURS and key in values and values[key] != value and not key.endswith("parallel_size"):
            raise ModelError(f"{where}: {key} is {values[key]!r}, but {OURS} has {value!r}")
    return config


def _refuse_dense_layers(values: Mapping[str, Any], where: str) -> None:
    frequency = values.get("moe_layer_freq", 1)
    if frequency != 1 and not (isinstance(frequency, list) and set(frequency) == {1}):
        raise ModelError(f"{where}: moe_layer_freq {frequency!r} is not supported; every layer must have experts")


def _groups(values: Mapping[str, Any], heads: int, where: str) -> int:
    if values.get("group_query_attention", True) is False:
        return heads
    return _whole(values, "num_query_groups", where, default=heads)


def _head_dim(values: Mapping[str, Any], sizes: Mapping[str, int], where: str) -> int:
    if values.get("kv_channels") is None and sizes["hidden_size"] % sizes["num_heads"]:
        raise ModelError(f"{where}: kv_channels is missing and hidden_size is not a multiple of num_attention_heads")
    return _whole(values, "kv_channels", where, default=sizes["hidden_size"] // sizes["num_heads"])


def _whole(values: Mapping[str, Any], key: str, where: str, default: int | None = None) -> int:
    return int(read_field(values, Field(key, key, default=default), where))


def _number(values: Mapping[str, Any], key: str, where: str, default: float | None = None) -> float:
    value = values.get(key)
    if isinstance(value, list) and len(value) == 1:  # one coefficient for each kind of balancing loss
        values = {key: value[0]}
    return float(read_field(values, Field(key, key, "number", default=default), where))
