"""``config.json`` of a model folder, in any layout.

Three layouts: ``huggingface`` (Mixtral, Mistral, Llama; BERT as GENA-LM extends it, BigBird, ModernBERT), ``megatron``
(names of Megatron-core, to train decoders on there) and ``genolm`` (our own names, for all that the others cannot
express).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from genolm.errors import ModelError
from genolm.models.adapters.encoders import gena_config, modernbert_config
from genolm.models.adapters.huggingface import huggingface_config
from genolm.models.adapters.megatron.megatron_folder import is_checkpoint
from genolm.models.adapters.megatron.megatron_limits import refuse_inexpressible
from genolm.models.card import is_present, read_json
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.encoder_config import EncoderConfig
from genolm.models.networks.network_config import NetworkConfig

Layout = Literal["huggingface", "genolm", "megatron"]
CONFIG = "config.json"
ADAPTER = "adapter_config.json"
ADAPTER_ADVICE = (
    f"holds a PEFT adapter ({ADAPTER}), which genolm does not read; merge it into its base model in Python and use the"
    " folder that is saved: model.merge_and_unload().save_pretrained(OUT)"
)
OWN_TYPE = "genolm-decoder"
OWN_ENCODER = "genolm-encoder"
_OWN_CONFIGS: Mapping[str, Layout] = {OWN_TYPE: "genolm", "genolm-megatron": "megatron", OWN_ENCODER: "genolm"}
_ENCODERS: Mapping[str, Callable[..., EncoderConfig]] = {
    gena_config.BERT: gena_config.read_bert,
    gena_config.BIGBIRD: gena_config.read_bigbird,
    modernbert_config.MODERNBERT: modernbert_config.read_config,
}


def read_config(folder: Path) -> tuple[NetworkConfig, Layout]:
    """The network in ``folder`` and the layout its files are in.

    Raises:
        ModelError: no folder, no ``config.json``, or one that describes something else than our networks.
    """
    if not folder.is_dir():
        raise ModelError(f"{folder}: no such folder")
    path = folder / CONFIG
    if (folder / ADAPTER).is_file():
        raise ModelError(f"{folder}: {ADAPTER_ADVICE}")
    if not is_present(path) and is_checkpoint(folder):
        raise ModelError(
            f"{folder}: a checkpoint of Megatron, which is not used as it stands; convert it first:"
            f" genolm convert {folder} OUT --from megatron --to genolm"
        )
    if not path.is_file():
        raise ModelError(f"{folder}: has no {CONFIG}, so it is no model folder{_meant(folder)}")
    return parse_config(read_json(path), path)


def _meant(folder: Path) -> str:
    """A hint where folders inside are models."""
    inside = sorted(path.parent.name for path in folder.glob(f"*/{CONFIG}"))
    return f"; did you mean {folder / inside[0]}?" if inside else ""


def parse_config(values: Mapping[str, Any], file: Path | str = CONFIG) -> tuple[NetworkConfig, Layout]:
    """As :func:`read_config`, of the values themselves; ``file`` is named in errors.

    Which heads a published encoder has is said by its tensors; here they are guessed from the class that is named.
    """
    kind = str(values.get("model_type"))
    layout = _OWN_CONFIGS.get(kind)
    if kind in _ENCODERS:
        return _ENCODERS[kind](values, file=file), "huggingface"
    if layout is None:
        return huggingface_config.read_config(values, file=file), "huggingface"
    own = {key: value for key, value in values.items() if key not in {"model_type", "torch_dtype"}}
    try:
        return (EncoderConfig if kind == OWN_ENCODER else DecoderConfig).from_dict(own), layout
    except (ModelError, TypeError) as error:
        raise ModelError(f"{file}: {error}") from error


def config_values(config: NetworkConfig, layout: Layout, dtype: str) -> dict[str, Any]:
    """``config.json`` of ``config`` in ``layout`` for weights stored in ``dtype``.

    Raises:
        ModelError: the layout cannot express the config.
    """
    if isinstance(config, EncoderConfig):
        return _encoder_values(config, layout, dtype)
    if layout == "huggingface":
        return huggingface_config.write_config(config, dtype)
    if layout == "megatron":
        refuse_inexpressible(config)
    kind = OWN_TYPE if layout == "genolm" else "genolm-megatron"
    return {"model_type": kind, "torch_dtype": dtype, **config.to_dict()}


def _encoder_values(config: EncoderConfig, layout: Layout, dtype: str) -> dict[str, Any]:
    if layout == "megatron":
        raise ModelError("the megatron layout holds decoders only; this is an encoder")
    if layout == "genolm":
        return {"model_type": OWN_ENCODER, "torch_dtype": dtype, **config.to_dict()}
    return (modernbert_config if modernbert_config.is_modernbert(config) else gena_config).write_config(config, dtype)


def best_layout(config: NetworkConfig) -> Layout:
    """``huggingface`` where a class of transformers computes the same as our network, else ``genolm``."""
    if isinstance(config, DecoderConfig):
        return "huggingface" if huggingface_config.expressible(config) else "genolm"
    if modernbert_config.is_modernbert(config):
        return "genolm" if modernbert_config.inexpressible(config) else "huggingface"
    stock = gena_config.inexpressible(config) is None and gena_config.is_stock(config)
    return "huggingface" if stock else "genolm"
