"""Config of a network, decoder or encoder, and its form in our own ``config.json``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from genolm.errors import ModelError
from genolm.models.config_json import from_json
from genolm.models.networks.decoder_config import DECODER_PARTS, DecoderConfig
from genolm.models.networks.encoder_config import ENCODER_PARTS, EncoderConfig

NetworkConfig: TypeAlias = DecoderConfig | EncoderConfig
"""Config of a decoder (next token) or an encoder (masked token)."""

DECODER, ENCODER, MEGATRON = "genolm-decoder", "genolm-encoder", "genolm-megatron"
MODEL_TYPES = (DECODER, ENCODER, MEGATRON)


def config_from_json(values: Mapping[str, Any], file: str | Path) -> NetworkConfig:
    """Read the config that :func:`config_to_json` wrote.

    Raises:
        ModelError: an unknown key, or a missing or invalid value.
    """
    fields = {key: value for key, value in values.items() if key not in {"model_type", "torch_dtype"}}
    try:
        if values["model_type"] == ENCODER:
            return from_json(EncoderConfig, fields, ENCODER_PARTS)
        return from_json(DecoderConfig, fields, DECODER_PARTS)
    except (ModelError, TypeError) as error:
        raise ModelError(f"{file}: {error}") from error


def config_to_json(config: NetworkConfig, dtype: str, *, megatron: bool = False) -> dict[str, Any]:
    """Return our own ``config.json``.

    Args:
        config: the network.
        dtype: type of the stored weights.
        megatron: whether the weights have the names of Megatron-core.

    Raises:
        ModelError: an encoder with the names of Megatron-core, which holds decoders only.
    """
    if isinstance(config, EncoderConfig):
        if megatron:
            raise ModelError("the megatron layout holds decoders only; this is an encoder")
        kind = ENCODER
    else:
        kind = MEGATRON if megatron else DECODER
    return {"model_type": kind, "torch_dtype": dtype, **config.to_dict()}
