"""What a model folder holds, whichever layout it is in: its config, and where each of our tensors stands in its files.

Two layouts: ``huggingface`` (Mixtral, Mistral, Llama; what transformers and vLLM load) and ``genolm`` (our own names,
for decoders that the other cannot express).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch

from genolm.errors import ModelError
from genolm.models.adapters import huggingface, huggingface_config
from genolm.models.adapters.pieces import Piece, check
from genolm.models.card import read_json
from genolm.models.config import DecoderConfig
from genolm.models.decoder import Decoder
from genolm.models.shards import Stored, read_shards

Layout = Literal["huggingface", "genolm"]
CONFIG = "config.json"
OWN_TYPE = "genolm-decoder"


def read_config(folder: Path) -> tuple[DecoderConfig, Layout]:
    """The decoder in ``folder`` and the layout its files are in.

    Raises:
        ModelError: no folder, no ``config.json``, or one that describes something else than our decoder.
    """
    if not folder.is_dir():
        raise ModelError(f"{folder}: no such folder")
    path = folder / CONFIG
    if not path.is_file():
        raise ModelError(f"{folder}: has no {CONFIG}, so it is no model folder")
    return parse_config(read_json(path), path)


def parse_config(values: Mapping[str, Any], file: Path | str = CONFIG) -> tuple[DecoderConfig, Layout]:
    """As :func:`read_config`, of the values themselves."""
    if values.get("model_type") != OWN_TYPE:
        return huggingface_config.read_config(values, file=file), "huggingface"
    own = {key: value for key, value in values.items() if key not in {"model_type", "torch_dtype"}}
    try:
        return DecoderConfig.from_dict(own), "genolm"
    except (ModelError, TypeError) as error:
        raise ModelError(f"{file}: {error}") from error


def config_values(config: DecoderConfig, layout: Layout, dtype: str) -> dict[str, Any]:
    """``config.json`` of ``config`` in ``layout`` for weights stored in ``dtype``.

    Raises:
        ModelError: the layout cannot express the config.
    """
    if layout == "huggingface":
        return huggingface_config.write_config(config, dtype)
    return {"model_type": OWN_TYPE, "torch_dtype": dtype, **config.to_dict()}


def tensor_shapes(config: DecoderConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of each of our tensors, a tied head left out."""
    with torch.device("meta"):
        return {name: tuple(weight.shape) for name, weight in Decoder(config).named_parameters()}


def pieces_of(config: DecoderConfig, layout: Layout, names: Mapping[str, Any] | None = None) -> list[Piece]:
    """The table of names of ``layout``, spelt as a checkpoint that holds ``names`` spells it."""
    if layout == "huggingface":
        return huggingface.pieces(config, names or ())
    return [Piece(name, name) for name in tensor_shapes(config)]


def open_weights(folder: Path, config: DecoderConfig, layout: Layout) -> tuple[list[Piece], dict[str, Stored]]:
    """The tensors of ``folder``, checked against the config: none missing, none left over, every shape right.

    Raises:
        ModelError: naming the first tensor that does not fit, or the file that is missing or damaged.
    """
    held = read_shards(folder)
    if layout == "huggingface":
        held = {name: stored for name, stored in held.items() if not name.endswith(huggingface.DERIVED)}
        if config.tied:
            _drop_tied_head(held, folder)
    pieces = pieces_of(config, layout, held)
    check(pieces, held, tensor_shapes(config), str(folder))
    return pieces, held


def _drop_tied_head(held: dict[str, Stored], folder: Path) -> None:
    head, embedding = held.pop(huggingface.HEAD, None), held.get(huggingface.EMBEDDING)
    if head is None or embedding is None:
        return
    if head.shape != embedding.shape or not torch.equal(head.read(), embedding.read()):
        raise ModelError(f"{folder}: {huggingface.HEAD} differs from the embedding, although its config ties the two")
