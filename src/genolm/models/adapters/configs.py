"""``config.json`` in any layout, read and written.

A layout is ``huggingface`` (Mixtral, Mistral, Llama; BERT as GENA-LM extends it, BigBird, ModernBERT), ``megatron``
(names of Megatron-core, to train decoders there) or ``genolm`` (our own names, for all that the others cannot express).
Needs no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from genolm.models.adapters.encoders import gena_config, modernbert_config
from genolm.models.adapters.huggingface import huggingface_config
from genolm.models.model_files import CONFIG
from genolm.models.networks import network_config
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.encoder_config import EncoderConfig
from genolm.models.networks.network_config import NetworkConfig, config_from_json, config_to_json

Layout = Literal["huggingface", "genolm", "megatron"]
_ENCODERS: Mapping[str, Callable[..., EncoderConfig]] = {
    gena_config.BERT: gena_config.read_bert,
    gena_config.BIGBIRD: gena_config.read_bigbird,
    modernbert_config.MODERNBERT: modernbert_config.read_config,
}


def parse_config(values: Mapping[str, Any], file: Path | str = CONFIG) -> tuple[NetworkConfig, Layout]:
    """Read a ``config.json`` in any layout.

    Args:
        values: content of the file.
        file: named in errors.

    Returns:
        The network and the layout. The tensors of a published encoder decide which heads it has; here they are those of
        the class that the config names.

    Raises:
        ModelError: the config describes a network that genolm does not have.
    """
    kind = str(values.get("model_type"))
    if kind in network_config.MODEL_TYPES:
        return config_from_json(values, file), "megatron" if kind == network_config.MEGATRON else "genolm"
    if kind in _ENCODERS:
        return _ENCODERS[kind](values, file=file), "huggingface"
    return huggingface_config.read_config(values, file=file), "huggingface"


def config_values(config: NetworkConfig, layout: Layout, dtype: str) -> dict[str, Any]:
    """Return the ``config.json`` of a network.

    Args:
        config: the network.
        layout: layout to write.
        dtype: type of the stored weights.

    Raises:
        ModelError: the layout cannot express the network.
    """
    if layout != "huggingface":
        return config_to_json(config, dtype, megatron=layout == "megatron")
    if isinstance(config, DecoderConfig):
        return huggingface_config.write_config(config, dtype)
    return (modernbert_config if modernbert_config.is_modernbert(config) else gena_config).write_config(config, dtype)


def best_layout(config: NetworkConfig) -> Layout:
    """Return ``huggingface`` if a class of transformers computes the same as our network, else ``genolm``."""
    if isinstance(config, DecoderConfig):
        return "huggingface" if huggingface_config.expressible(config) else "genolm"
    if modernbert_config.is_modernbert(config):
        return "genolm" if modernbert_config.inexpressible(config) else "huggingface"
    stock = gena_config.inexpressible(config) is None and gena_config.is_stock(config)
    return "huggingface" if stock else "genolm"
