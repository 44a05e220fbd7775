"""``config.json`` of ModernBERT, which ModernGENA is, translated both ways.

Older files give the two bases of rotary positions and how often a layer sees everything as numbers, those of
transformers 5 as ``rope_parameters`` and ``layer_types``; both are read, the older form is written, which both read.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genolm.errors import ModelError
from genolm.models.adapters.encoders.encoder_words import ACTIVATIONS, SIZES, WRITTEN_ACTIVATIONS
from genolm.models.adapters.json_values import chosen, number, require, truth, unscaled, whole
from genolm.models.networks.encoder_config import EncoderConfig

MODERNBERT = "modernbert"

_FULL, _SLIDING = "full_attention", "sliding_attention"
_ONLY: Mapping[str, tuple[Any, ...]] = {
    "decoder_bias": (True, None),
    "tie_word_embeddings": (True, None),
    "is_decoder": (False, None),
    "quantization_config": (None,),
}
_ALIKE = ("attention_bias", "mlp_bias", "classifier_bias")


def is_modernbert(config: EncoderConfig) -> bool:
    """Whether ModernBERT's layout is that of an encoder; BERT and BigBird have no gated feed-forward blocks."""
    return config.gated


def read_config(values: Mapping[str, Any], *, file: str | Path = "config.json") -> EncoderConfig:
    """The encoder that a ModernBERT ``config.json`` describes.

    Raises:
        ModelError: a missing or impossible value, biases in some linear layers only, scaled positions, an order of
            layers that is not every so many, or another activation.
    """
    require(values, _ONLY, file)
    biases = {key: truth(values, key, file, default=False) for key in _ALIKE}
    if len(set(biases.values())) > 1:
        told = ", ".join(f"{key} {str(value).lower()}" for key, value in biases.items())
        raise ModelError(f"{file}: biases in some linear layers only are not supported ({told})")
    every = _global_every(values, file)
    whole_theta, local_theta = _thetas(values, file)
    sizes: dict[str, Any] = {ours: whole(values, theirs, file) for theirs, ours in SIZES.items()}
    try:
        return EncoderConfig(
            **sizes,
            token_rows=whole(values, "token_rows", file, default=0),
            norm="pre",
            final_norm=True,
            first_norm=False,
            norm_eps=number(values, "norm_eps", file),
            norm_bias=truth(values, "norm_bias", file, default=False),
            bias=biases["attention_bias"],
            positions="rotary",
            rope_theta=whole_theta,
            local_rope_theta=local_theta,
            token_types=0,
            activation=chosen(values, "hidden_activation", file, ACTIVATIONS),  # type: ignore[arg-type]
            head_activation=chosen(values, "classifier_activation", file, ACTIVATIONS, "gelu"),  # type: ignore[arg-type]
            gated=True,
            global_every=every,
            local_window=whole(values, "local_attention", file),
            pad_id=whole(values, "pad_token_id", file),
            initial_std=number(values, "initializer_range", file, default=0.02),
        )
    except ModelError as error:
        text = str(error)
        raise ModelError(text if text.startswith(f"{file}: ") else f"{file}: {text}") from error


def _global_every(values: Mapping[str, Any], file: str | Path) -> int:
    types = values.get("layer_types")
    if types is None:
        return whole(values, "global_attn_every_n_layers", file)
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
    """Bases of layers that see everything and of those with a window."""
    unscaled(values, "rope_scaling", file)
    found = values.get("rope_parameters")
    if found is None:
        whole_theta = number(values, "global_rope_theta", file)
        return whole_theta, number(values, "local_rope_theta", file, default=whole_theta)
    place = f"{file}: rope_parameters"
    if not isinstance(found, Mapping) or set(found) - {_FULL, _SLIDING}:
        raise ModelError(f"{place} {found!r} is not supported; it must be an object with {_FULL} and {_SLIDING}")
    kinds = [_rule(found.get(kind), f"{place}: {kind}") for kind in (_FULL, _SLIDING)]
    whole_theta = number({**values, **kinds[0]}, "rope_theta", place, default=values.get("global_rope_theta"))
    return whole_theta, number(kinds[1], "rope_theta", place, default=values.get("local_rope_theta", whole_theta))


def _rule(found: Any, place: str) -> Mapping[str, Any]:
    """What is said of one kind of layer: the base alone."""
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise ModelError(f"{place} must be an object, not {found!r}")
    unscaled(found, "rope_type", place)
    if more := sorted(set(found) - {"rope_type", "rope_theta"}):
        raise ModelError(f"{place} has {more[0]}, which is not supported; only unscaled positions are")
    return found


def inexpressible(config: EncoderConfig) -> str | None:
    """What of an encoder ModernBERT has no word for; None when all of it can be said."""
    checks = {
        "an ungated feed-forward block": not config.gated,
        "norms after the blocks": config.norm == "post",
        "no final norm": not config.final_norm,
        "a norm in the first layer": config.first_norm,
        "absolute positions": config.positions != "rotary",
        "partly rotary positions": config.turned_dim != config.head_dim,
        "token types": bool(config.token_types),
        "attention by blocks": config.sparse is not None,
        "attention without a local window": not config.global_every,
        "a pooler": config.pooler != "none",
        "labels": bool(config.labels),
        "no masked-language head": not config.masked_head,
        "a recurrent memory": config.memory is not None,
    }
    return next((reason for reason, found in checks.items() if found), None)


def write_config(config: EncoderConfig, dtype: str = "float32") -> dict[str, Any]:
    """``config.json`` under which transformers computes what our encoder computes.

    Raises:
        ModelError: the encoder has something for which ModernBERT has no word.
    """
    reason = inexpressible(config)
    if reason is not None:
        raise ModelError(f"{reason} cannot be expressed in the huggingface layout; use layout 'genolm' (--to genolm)")
    written: dict[str, Any] = {
        "architectures": ["ModernBertForMaskedLM"],
        "model_type": MODERNBERT,
        "torch_dtype": dtype,
    }
    written |= {theirs: getattr(config, ours) for theirs, ours in SIZES.items()}
    written |= dict.fromkeys(_ALIKE, config.bias)
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
