"""``config.json`` of BERT as GENA-LM extends it and of stock BigBird, read and written.

GENA-LM keeps ``model_type`` bert and adds ``pre_layer_norm`` (absent: false), ``last_layer_norm`` (absent: the same as
``pre_layer_norm``), rotary positions and DeepSpeed's block-sparse attention. The class that ``sparse_config_cls`` names
is never imported. The tensors decide which heads the network has; the config's ``architectures`` is only a guess.
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
    read_fields,
    refuse_scaling,
)
from genolm.models.networks.encoder_config import BlockSparseConfig, EncoderConfig
from genolm.remedies import Remedy

BERT, BIGBIRD = "bert", "big_bird"
SPARSE_CLASS = "deepspeed.ops.sparse_attention:BigBirdSparsityConfig"

_FIELDS = (
    *SIZES,
    Field("layer_norm_eps", "norm_eps", "number"),
    Field("hidden_act", "activation", choices=ACTIVATIONS),
    Field("type_vocab_size", "token_types", default=2),
    Field("token_rows", "token_rows", default=0),
    Field("pad_token_id", "pad_id", default=0),
    Field("initializer_range", "initial_std", "number", default=0.02),
)
_GENA_FIELDS = (
    Field("pre_layer_norm", "pre_norm", "boolean", default=False),
    Field("last_layer_norm", "final_norm", "boolean", default=False),
    Field(
        "position_embedding_type",
        "positions",
        default="absolute",
        choices={"absolute": "absolute", "rotary": "rotary"},
    ),
)
_ROTARY_FIELDS = (Field("rotary_dim", "rotary_dim"), Field("rotary_base", "rope_theta", "number", default=1e4))
_DEEPSPEED_FIELDS = (Field("block", "block"), Field("num_random_blocks", "random", default=1))
_BIGBIRD_FIELDS = (Field("block_size", "block", default=64), Field("num_random_blocks", "random", default=3))
_ATTENTION_TYPE = Field(
    "attention_type",
    "attention_type",
    default="block_sparse",
    choices={"block_sparse": "block_sparse", "original_full": "original_full"},
)
# Settings that change the mathematics, with the only values under which our encoder computes the same.
_ONLY: Mapping[str, tuple[Any, ...]] = {
    "is_decoder": (False, None),
    "add_cross_attention": (False, None),
    "tie_word_embeddings": (True, None),
    "quantization_config": (None,),
    "pruned_heads": ({}, None),
}
_BIGBIRD_ONLY: Mapping[str, tuple[Any, ...]] = {
    "use_bias": (True, None),
    "rescale_embeddings": (False, None),
    "position_embedding_type": ("absolute", None),
}
_SPARSE_ONLY: Mapping[str, tuple[Any, ...]] = {
    "num_global_blocks": (2, None),
    "num_sliding_window_blocks": (3, None),
    "attention": ("bidirectional", None),
}


def read_bert(values: Mapping[str, Any], *, file: str | Path = "config.json") -> EncoderConfig:
    """Read the ``config.json`` of a BERT or GENA-LM model.

    Raises:
        ModelError: a missing or invalid value, an unknown activation or position type, or a decoder.
    """
    check_values(values, _ONLY, file)
    refuse_scaling(values, ("rope_scaling", "rope_parameters"), file)
    rotary = _ROTARY_FIELDS if values.get("position_embedding_type") == "rotary" else ()
    fields = read_fields(values, (*_GENA_FIELDS, *_FIELDS, *rotary), file)
    before = fields.pop("pre_norm")
    fields["norm"] = "pre" if before else "post"
    if values.get("last_layer_norm") is None:
        fields["final_norm"] = before
    fields["sparse"] = _deepspeed(values, fields["num_heads"], file)
    if rotary:
        fields["local_rope_theta"] = fields["rope_theta"]
    return _encoder(fields | _heads_of_class(values, "tanh"), file)


def read_bigbird(values: Mapping[str, Any], *, file: str | Path = "config.json") -> EncoderConfig:
    """Read a stock BigBird ``config.json``; its random blocks are those of current transformers.

    Raises:
        ModelError: as for :func:`read_bert`; also rescaled embeddings or projections without a bias.
    """
    check_values(values, {**_ONLY, **_BIGBIRD_ONLY}, file)
    fields = read_fields(values, (*_FIELDS, _ATTENTION_TYPE), file)
    full = fields.pop("attention_type") == "original_full"
    sparse = None if full else _bigbird(values, file)
    fields |= {"norm": "post", "final_norm": False, "sparse": sparse}
    return _encoder(fields | _heads_of_class(values, "linear"), file)


def _encoder(fields: Mapping[str, Any], file: str | Path) -> EncoderConfig:
    try:
        return EncoderConfig(**fields, head_activation=fields["activation"])
    except ModelError as error:
        raise ModelError(f"{file}: {error}") from error


def _deepspeed(values: Mapping[str, Any], heads: int, file: str | Path) -> BlockSparseConfig | None:
    sparse = values.get("sparse_attention")
    if sparse is None or sparse is False:
        return None
    if not isinstance(sparse, Mapping):
        raise ModelError(f"{file}: sparse_attention {sparse!r} is not supported; it must be an object or null")
    where = f"{file}: sparse_attention"
    check_values(sparse, _SPARSE_ONLY, where)
    if sparse.get("num_heads", heads) != heads:
        raise ModelError(f"{where}: num_heads is {sparse['num_heads']!r}, but num_attention_heads is {heads}")
    return BlockSparseConfig("deepspeed", **read_fields(sparse, _DEEPSPEED_FIELDS, where))


def _bigbird(values: Mapping[str, Any], file: str | Path) -> BlockSparseConfig:
    return BlockSparseConfig("bigbird", **read_fields(values, _BIGBIRD_FIELDS, file), random_blocks="zero")


def labels_of(values: Mapping[str, Any]) -> str | None:
    """Return what the labels of a fine-tuned class describe, ``sequence`` or ``token``; None for other classes."""
    name = _architecture(values)
    kinds = {"SequenceClassification": "sequence", "TokenClassification": "token"}
    return next((ours for theirs, ours in kinds.items() if name.endswith(theirs)), None)


def label_count(values: Mapping[str, Any]) -> int | None:
    """Return the number of labels in the config; None if it has none."""
    if isinstance(values.get("num_labels"), int):
        return int(values["num_labels"])
    named = values.get("id2label")
    return len(named) if isinstance(named, Mapping) else None


def _architecture(values: Mapping[str, Any]) -> str:
    names = values.get("architectures")
    return str(names[0]) if isinstance(names, list) and names else ""


def _heads_of_class(values: Mapping[str, Any], pooler: str) -> dict[str, Any]:
    """Return the heads of the class that the config names, for use without the tensors."""
    name, kind = _architecture(values), labels_of(values)
    before_tokens = name.endswith("ForMaskedLM") and pooler == "linear"  # BigBird's class makes one and does not use it
    pooled = name.endswith("ForPreTraining") or kind == "sequence" or before_tokens
    heads: dict[str, Any] = {"pooler": pooler if pooled else "none", "sentence_head": name.endswith("ForPreTraining")}
    if kind is not None:
        heads |= {"labels": label_count(values) or 2, "labels_of": kind}
    return heads


def inexpressible(config: EncoderConfig) -> str | None:
    """Return a part of the encoder that neither kind of config can express; None if there is none."""
    sparse = config.sparse
    checks = {
        "a gated feed-forward block": config.gated,
        "local windows of attention": bool(config.global_every),
        "linear layers without biases": not config.bias,
        "norms without biases": not config.norm_bias,
        "a first layer without its norm": not config.first_norm,
        "no token types": not config.token_types,
        "a recurrent memory": config.memory is not None,
        "a head with another activation": config.head_activation != config.activation,
        "a layout for each layer": sparse is not None and sparse.per_layer_layout,
        "seeded random blocks": sparse is not None and sparse.random_blocks == "seeded",
        "these norms with BigBird's blocks": _is_bigbird(config) and config.norm == "pre",
        "rotary positions with BigBird's blocks": _is_bigbird(config) and config.positions == "rotary",
        "this pooler with BigBird's blocks": _is_bigbird(config) and config.pooler == "tanh",
    }
    return next((reason for reason, applies in checks.items() if applies), None)


def kind_of(config: EncoderConfig) -> str:
    """Return ``bert`` or ``big_bird`` for an encoder that one of them can express."""
    return BIGBIRD if _is_bigbird(config) else BERT


def _is_bigbird(config: EncoderConfig) -> bool:
    return config.pooler == "linear" or (config.sparse is not None and config.sparse.kind == "bigbird")


def is_stock(config: EncoderConfig) -> bool:
    """Return whether the stock class in transformers computes the same; it lacks GENA-LM's extensions."""
    deepspeed = config.sparse is not None and config.sparse.kind == "deepspeed"
    return config.norm == "post" and config.positions == "absolute" and not deepspeed


def write_config(config: EncoderConfig, dtype: str = "float32") -> dict[str, Any]:
    """Return a ``config.json`` for GENA-LM's modelling file, or for transformers if :func:`is_stock`.

    Raises:
        ModelError: neither kind can express the encoder.
    """
    reason = inexpressible(config)
    if reason is not None:
        raise ModelError(
            f"{reason} cannot be expressed in the huggingface layout",
            code="unsupported-by-model",
            remedy=Remedy("to", "genolm", "use a layout that can"),
        )
    kind = kind_of(config)
    written: dict[str, Any] = {"architectures": [_class_name(config, kind)], "model_type": kind, "torch_dtype": dtype}
    written |= {field.key: getattr(config, field.name) for field in SIZES}
    written |= {
        "type_vocab_size": config.token_types,
        "token_rows": config.token_rows,
        "layer_norm_eps": config.norm_eps,
        "hidden_act": WRITTEN_ACTIVATIONS[config.activation],
        "pad_token_id": config.pad_id,
        "initializer_range": config.initial_std,
        "tie_word_embeddings": True,
    }
    if config.labels:
        written["id2label"] = {str(label): f"LABEL_{label}" for label in range(config.labels)}
    return written | (_bigbird_values(config) if kind == BIGBIRD else _gena_values(config))


def _class_name(config: EncoderConfig, kind: str) -> str:
    if config.labels:
        head = "SequenceClassification" if config.labels_of == "sequence" else "TokenClassification"
    else:
        head = "PreTraining" if config.sentence_head else "MaskedLM"
    return f"{'BigBird' if kind == BIGBIRD else 'Bert'}For{head}"


def _bigbird_values(config: EncoderConfig) -> dict[str, Any]:
    shared = {"use_bias": True, "rescale_embeddings": False, "position_embedding_type": "absolute"}
    if config.sparse is None:
        return {**shared, "attention_type": "original_full"}
    blocks = {"block_size": config.sparse.block, "num_random_blocks": config.sparse.random}
    return {**shared, "attention_type": "block_sparse", **blocks}


def _gena_values(config: EncoderConfig) -> dict[str, Any]:
    written: dict[str, Any] = {"position_embedding_type": config.positions}
    if not is_stock(config):
        written |= {"pre_layer_norm": config.norm == "pre", "last_layer_norm": config.final_norm}
    if config.positions == "rotary":
        written |= {"rotary_dim": config.rotated_dim, "rotary_base": config.rope_theta}
    if config.sparse is not None:
        written["sparse_config_cls"] = SPARSE_CLASS
        written["sparse_attention"] = {
            "num_heads": config.num_heads,
            "block": config.sparse.block,
            "different_layout_per_head": True,
            "num_sliding_window_blocks": 3,
            "num_global_blocks": 2,
            "num_random_blocks": config.sparse.random,
        }
    return written
