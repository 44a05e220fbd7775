"""``config.json`` of a model folder, in any layout.

Three layouts: ``huggingface`` (Mixtral, Mistral, Llama; what transformers and vLLM load), ``megatron`` (names of
Megatron-core, to train on there) and ``genolm`` (our own names, for decoders that the others cannot express).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from genolm.errors import ModelError
from genolm.models.adapters import huggingface_config
from genolm.models.adapters.megatron_folder import is_checkpoint
from genolm.models.adapters.megatron_limits import refuse_inexpressible
from genolm.models.card import read_json
from genolm.models.config import DecoderConfig

Layout = Literal["huggingface", "genolm", "megatron"]
CONFIG = "config.json"
OWN_TYPE = "genolm-decoder"
_OWN_CONFIGS: Mapping[str, Layout] = {OWN_TYPE: "genolm", "genolm-megatron": "megatron"}


def read_config(folder: Path) -> tuple[DecoderConfig, Layout]:
    """The decoder in ``folder`` and the layout its files are in.

    Raises:
        ModelError: no folder, no ``config.json``, or one that describes something else than our decoder.
    """
    if not folder.is_dir():
        raise ModelError(f"{folder}: no such folder")
    path = folder / CONFIG
    if not path.is_file() and is_checkpoint(folder):
        raise ModelError(
            f"{folder}: a checkpoint of Megatron, which is not used as it stands; convert it first:"
            f" genolm convert {folder} OUT --from megatron --to genolm"
        )
    if not path.is_file():
        raise ModelError(f"{folder}: has no {CONFIG}, so it is no model folder")
    return parse_config(read_json(path), path)


def parse_config(values: Mapping[str, Any], file: Path | str = CONFIG) -> tuple[DecoderConfig, Layout]:
    """As :func:`read_config`, of the values themselves; ``file`` is named in errors."""
    layout = _OWN_CONFIGS.get(str(values.get("model_type")))
    if layout is None:
        return huggingface_config.read_config(values, file=file), "huggingface"
    own = {key: value for key, value in values.items() if key not in {"model_type", "torch_dtype"}}
    try:
        return DecoderConfig.from_dict(own), layout
    except (ModelError, TypeError) as error:
        raise ModelError(f"{file}: {error}") from error


def config_values(config: DecoderConfig, layout: Layout, dtype: str) -> dict[str, Any]:
    """``config.json`` of ``config`` in ``layout`` for weights stored in ``dtype``.

    Raises:
        ModelError: the layout cannot express the config.
    """
    if layout == "huggingface":
        return huggingface_config.write_config(config, dtype)
    if layout == "megatron":
        refuse_inexpressible(config)
    kind = next(name for name, own in _OWN_CONFIGS.items() if own == layout)
    return {"model_type": kind, "torch_dtype": dtype, **config.to_dict()}
