"""Arguments that a Megatron run stores with its weights, read and written; unsupported settings are refused.

Those of a Gengram memory are completed from its tensors.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from genolm.errors import ModelError
from genolm.models.adapters.config_fields import Field, read_field
from genolm.models.adapters.megatron.megatron import memory_layer, refuse_inexpressible
from genolm.models.adapters.pieces import StoredTensor
from genolm.models.gengram.gengram_config import GengramConfig
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.remedies import Remedy

OURS = "genolm_config"
"""Argument with our config as JSON, for settings without an argument in Megatron."""

_SIZES = {
    "padded_vocab_size": "vocab_size",
    "hidden_size": "hidden_size",
    "num_layers": "num_layers",
    "num_attention_heads": "num_heads",
    "max_position_embeddings": "max_positions",
}
_BASE_IDS = [8, 5, 6, 7, 9]  # A, C, G, T and N in the alphabet of Genos, of which such a checkpoint has no file
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
                f"{where}: the checkpoint has no arguments, so its shape is unknown",
                code="missing-argument",
                remedy=Remedy("like", purpose="name a model of the same shape"),
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
        written |= _memory_arguments(config.gengram)
    return written | {OURS: json.dumps(config.to_dict())}


def _memory_arguments(memory: GengramConfig) -> dict[str, Any]:
    """Return the arguments of the released code for a memory."""
    return {
        "gengram_enabled": True,
        "gengram_layer_ids": list(memory.layers),
        "gengram_ngram_sizes": list(memory.orders),
        "gengram_embed_dim_per_ngram": memory.dim,
        "gengram_window_size": memory.window,
        "gengram_token_ids": list(_BASE_IDS),
        "gengram_use_short_conv": memory.conv_kernel > 0,
        "gengram_short_conv_kernel_size": memory.conv_kernel or None,
        "gengram_short_conv_dilation": memory.conv_dilation,
    }


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


def read_memory(
    values: Mapping[str, Any], stored: Mapping[str, StoredTensor], where: str, like: GengramConfig | None
) -> GengramConfig | None:
    """Return the Gengram memory of a checkpoint; None without one.

    Orders, width and convolution follow from the tensors: there is a convolution if and only if it has weights.
    Layers, window and dilation come from the arguments, else from ``like``.

    Raises:
        ModelError: neither states the active layers or the window, or arguments and tensors contradict each other.
    """
    layers = sorted({layer for name in stored if (layer := memory_layer(name))})
    if not layers:
        if values.get("gengram_enabled"):
            raise ModelError(f"{where}: gengram_enabled is set, but there are no tensors of a Gengram module")
        return None
    active = _active(values, layers, where, like)
    orders, dim = _tables(stored, f"decoder.layers.{active[0] - 1}.gengram", where)
    _agree(values, "gengram_ngram_sizes", list(orders), where)
    _agree(values, "gengram_embed_dim_per_ngram", dim, where)
    if values.get("gengram_token_ids", _BASE_IDS) not in (_BASE_IDS, None):
        stated = values["gengram_token_ids"]
        raise ModelError(f"{where}: gengram_token_ids {stated!r} is not supported; it must be {_BASE_IDS!r}")
    conv = stored.get(f"decoder.layers.{active[0] - 1}.gengram.short_conv.conv.weight")
    dilation = values.get("gengram_short_conv_dilation") or (orders[-1] if like is None else like.conv_dilation)
    return GengramConfig(
        layers=active,
        orders=orders,
        dim=dim,
        window=_window(values, where, like),
        conv_kernel=0 if conv is None else conv.shape[-1],
        conv_dilation=dilation,
        compat="released-bf16" if like is None else like.compat,
        init="reference" if like is None else like.init,
    )


def _active(values: Mapping[str, Any], layers: list[int], where: str, like: GengramConfig | None) -> tuple[int, ...]:
    stated = values.get("gengram_layer_ids")
    if stated is None and like is None:
        raise ModelError(
            f"{where}: {len(layers)} layers have a Gengram module, but which of them use it is not stated",
            code="missing-argument",
            remedy=Remedy("like", "gengram-10b", "take the layers of this model"),
        )
    if stated is None:
        active = () if like is None else like.layers
    elif not isinstance(stated, list) or not all(isinstance(layer, int) for layer in stated):
        raise ModelError(f"{where}: gengram_layer_ids must be a list of whole numbers, not {stated!r}")
    else:
        active = tuple(sorted(stated)) or tuple(layers)  # the released code takes an empty list for all layers
    if missing := [layer for layer in active if layer not in layers]:
        raise ModelError(f"{where}: layer {missing[0]} should have a Gengram module, but has none of its tensors")
    return active


def _tables(stored: Mapping[str, StoredTensor], prefix: str, where: str) -> tuple[tuple[int, ...], int]:
    """Return orders and width; a table of n-mers over five letters has 5^n rows."""
    orders: list[int] = []
    dim = 0
    while (table := stored.get(f"{prefix}.embeddings.{len(orders)}.weight")) is not None:
        order = next((n for n in range(1, 25) if table.shape[0] == 5**n), None)
        if len(table.shape) != 2 or order is None:
            name = f"{prefix}.embeddings.{len(orders)}.weight"
            raise ModelError(f"{where}: {name} has the shape {list(table.shape)}; a table of n-mers has 5^n rows")
        orders.append(order)
        dim = table.shape[1]
    if not orders:
        raise ModelError(f"{where}: missing tensor {prefix}.embeddings.0.weight")
    return tuple(orders), dim


def _window(values: Mapping[str, Any], where: str, like: GengramConfig | None) -> int:
    stated = values.get("gengram_window_size")
    if stated is None and like is None:
        raise ModelError(
            f"{where}: the window of its Gengram module is not stated",
            code="missing-argument",
            remedy=Remedy("like", "gengram-10b", "take the window of this model"),
        )
    if stated is None and like is not None:
        return like.window
    if not isinstance(stated, int):
        raise ModelError(f"{where}: gengram_window_size must be a whole number, not {stated!r}")
    return stated


def _agree(values: Mapping[str, Any], key: str, actual: object, where: str) -> None:
    stated = values.get(key)
    if stated is not None and stated != actual:
        raise ModelError(f"{where}: {key} is {stated!r}, its tensors say {actual!r}")
