"""``config.json`` of ModernBERT, the architecture of ModernGENA, read and written.

Older files state the two rotary bases and the interval of layers with full attention as numbers, those of
transformers 5 as ``rope_parameters`` and ``layer_types``. Both are read; the older form, which both read, is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genolm.errors import ModelError
from genolm.models.adapters.config_fields import (
    ACTIVATIONS,
    SIZES,
    WRITTEN_ACTIVATIONS,
    Field,
    check_values,
    read_field,
    read_fields,
    refuse_scaling,
)
from genolm.models.networks.encoder_config import EncoderConfig
from genolm.remedies import Remedy

MODERNBERT = "modernbert"

_FULL, _SLIDING = "full_attention", "sliding_attention"
_ONLY: Mapping[str, tuple[Any, ...]] = {
    "decoder_bias": (True, None),
    "tie_word_embeddings": (True, None),
    "is_decoder": (False, None),
    "quantization_config": (None,),
}
_BIASES = tuple(Field(key, key, "boolean", default=False) for key in ("attention_bias", "mlp_bias", "classifier_bias"))
_FIELDS = (
    *SIZES,
    Field("token_rows", "token_rows", default=0),
    Field("norm_eps", "norm_eps", "number"),
    Field("norm_bias", "norm_bias", "boolean", default=False),
    Field("hidden_activation", "activation", choices=ACTIVATIONS),
    Field("classifier_activation", "head_activation", default="gelu", choices=ACTIVATIONS),
    Field("local_attention", "local_window"),
    Field("pad_token_id", "pad_id"),
    Field("initializer_range", "initial_std", "number", default=0.02),
)
_FIXED = {
    "norm": "pre",
    "final_norm": True,
    "first_norm": False,
    "positions": "rotary",
    "token_types": 0,
    "gated": True,
}


def is_modernbert(config: EncoderConfig) -> bool:
    """Return whether an encoder has ModernBERT's layout; BERT and BigBird have no gated feed-forward blocks."""
    return config.gated


def read_config(values: Mapping[str, Any], *, file: str | Path = "config.json") -> EncoderConfig:
    """Read the ``config.json`` of a ModernBERT model.

    Raises:
        ModelError: a missing or invalid value, or an unsupported setting: biases in only some linear layers, scaled
            positions, layers with full attention at irregular intervals, another activation.
    """
    check_values(values, _ONLY, file)
    biases = read_fields(values, _BIASES, file)
    if len(set(biases.values())) > 1:
        listed = ", ".join(f"{key} {str(value).lower()}" for key, value in biases.items())
        raise ModelError(f"{file}: biases in only some linear layers are not supported ({listed})")
    full_theta, local_theta = _thetas(values, file)
    fields = read_fields(values, _FIELDS, file) | _FIXED
    fields |= {"rope_theta": full_theta, "local_rope_theta": local_theta, "bias": biases["attention_bias"]}
    every = _global_every(values, file)
    try:
        return EncoderConfig(**fields, global_every=every)
    except ModelError as error:
        raise ModelError(f"{file}: {error}") from error


def _global_every(values: Mapping[str, Any], file: str | Path) -> int:
    types = values.get("layer_types")
    if types is None:
        return int(read_field(values, Field("global_attn_every_n_layers", "global_every"), file))
    if not isinstance(types, list) or set(types) - {_FULL, _SLIDING} or types[:1] != [_FULL]:
        raise ModelError(f"{file}: layer_types {types!r} is not supported; the first layer must be {_FULL}")
    if len(types) != values.get("num_hidden_layers"):
        raise ModelError(
            f"{file}: layer_types names {len(types)} layers, num_hidden_layers is {values.get('num_hidden_layers')!r}"
        )
    every = types.index(_FULL, 1) if _FULL in types[1:] else max(len(types), 1)
    if types != [_SLIDING if layer % every else _FULL for layer in range(len(types))]:
        raise ModelError(f"{file}: layer_types does not have {_FULL} every {every} layers")
    if values.get("global_attn_every_n_layers", every) != every and _FULL in types[1:]:
        raise ModelError(
            f"{file}: global_attn_every_n_layers {values['global_attn_every_n_layers']!r} contradicts layer_types"
        )
    return every


def _thetas(values: Mapping[str, Any], file: str | Path) -> tuple[float, float]:
    """Read the rotary bases of layers with full attention and of those with a local window."""
    refuse_scaling(values, ("rope_scaling",), file)
    rope = values.get("rope_parameters")
    if rope is None:
        full_theta = _theta(values, "global_rope_theta", file)
        return full_theta, _theta(values, "local_rope_theta", file, full_theta)
    where = f"{file}: rope_parameters"
    if not isinstance(rope, Mapping) or set(rope) - {_FULL, _SLIDING}:
        raise ModelError(f"{where} {rope!r} is not supported; it must be an object with {_FULL} and {_SLIDING}")
    full, local = (_unscaled_rule(rope.get(kind), f"{where}: {kind}") for kind in (_FULL, _SLIDING))
    full_theta = _theta({**values, **full}, "rope_theta", where, values.get("global_rope_theta"))
    return full_theta, _theta(local, "rope_theta", where, values.get("local_rope_theta", full_theta))


def _theta(values: Mapping[str, Any], key: str, file: str | Path, default: float | None = None) -> float:
    return float(read_field(values, Field(key, key, "number", default=default), file))


def _unscaled_rule(rule: Any, where: str) -> Mapping[str, Any]:
    """Return the rotary rule of one kind of layer, which may only state its base."""
    if rule is None:
        return {}
    if not isinstance(rule, Mapping):
        raise ModelError(f"{where} must be an object, not {rule!r}")
    refuse_scaling(rule, ("rope_type",), where)
    if unsupported := sorted(set(rule) - {"rope_type", "rope_theta"}):
        raise ModelError(f"{where} has {unsupported[0]}, which is not supported; only unscaled positions are")
    return rule


def inexpressible(config: EncoderConfig) -> str | None:
    """Return a part of the encoder that ModernBERT cannot express; None if there is none."""
    checks = {
        "an ungated feed-forward block": not config.gated,
        "norms after the blocks": config.norm == "post",
        "no final norm": not config.final_norm,
        "a norm in the first layer": config.first_norm,
        "absolute positions": config.positions != "rotary",
        "partly rotary positions": config.rotated_dim != config.head_dim,
        "token types": bool(config.token_types),
        "attention by blocks": config.sparse is not None,
        "attention without a local window": not config.global_every,
        "a pooler": config.pooler != "none",
        "labels": bool(config.labels),
        "no masked-language head": not config.masked_head,
        "a recurrent memory": config.memory is not None,
    }
    return next((reason for reason, applies in checks.items() if applies), None)


def write_config(config: EncoderConfig, dtype: str = "float32") -> dict[str, Any]:
    """Return a ``config.json`` with which transformers computes the same as our encoder.

    Raises:
        ModelError: ModernBERT cannot express the encoder.
    """
    reason = inexpressible(config)
    if reason is not None:
        raise ModelError(
            f"{reason} cannot be expressed in the huggingface layout",
            code="unsupported-by-model",
            remedy=Remedy("to", "genolm", "use a layout that can"),
        )
    written: dict[str, Any] = {
        "architectures": ["ModernBertForMaskedLM"],
        "model_type": MODERNBERT,
        "torch_dtype": dtype,
    }
    written |= {field.key: getattr(config, field.name) for field in SIZES}
    written |= {field.key: config.bias for field in _BIASES}
    return written | {
        "token_rows": config.token_rows,
        "decoder_bias": True,
        "norm_eps": config.norm_eps,
        "norm_bias": config.norm_bias,
        "global_rope_theta": config.rope_theta,
        "local_rope_theta": config.local_rope_theta,
        "global_attn_every_n_layers": config.global_every,
        "local_attention": config.local_window,
        "hidden_activation": WRITTEN_ACTIVATIONS[config.activation],
        "classifier_activation": WRITTEN_ACTIVATIONS[config.head_activation],
        "classifier_pooling": "mean",
        "pad_token_id": config.pad_id,
        "initializer_range": config.initial_std,
        "tie_word_embeddings": True,
    }
