"""State dicts of GENA-LM's recurrent-memory wrapper, read into networks and written, strictly.

For use from Python: no verb reads or writes such files, because no weights of the wrapper were published. Folders in
our own layout do not need this: their config describes the memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from genolm.errors import ModelError
from genolm.models.adapters.configs import config_values, parse_config
from genolm.models.adapters.encoders.modernbert_config import is_modernbert
from genolm.models.adapters.encoders.recurrent_memory_tensors import WORDS, unwrap, wrapped
from genolm.models.adapters.pieces import MemoryTensor, StoredTensor, assemble, store, stored_together
from genolm.models.adapters.tensor_names import extra_tensors, pieces_of
from genolm.models.checkpoints.matching import match_tensors
from genolm.models.networks.encoder import Encoder
from genolm.models.networks.encoder_config import EncoderConfig
from genolm.models.networks.network import network_with, tensor_shapes, tensors_of
from genolm.models.networks.recurrent_memory import RecurrentMemory
from genolm.models.networks.recurrent_memory_config import MemoryConfig


def read_published(
    stored: Mapping[str, StoredTensor | Tensor],
    values: Mapping[str, Any],
    memory: MemoryConfig,
    where: str = "state dict",
) -> RecurrentMemory:
    """Make the network of a wrapper's state dict; its weights keep their stored type, bit for bit.

    Args:
        stored: the state dict.
        values: ``config.json`` of the BERT inside; its ``vocab_size`` may or may not count the rows of the memory.
        memory: use of the memory, which state dicts do not state
            (:func:`genolm.models.adapters.encoders.recurrent_memory_tensors.published_settings`).
        where: name of the state dict in errors.

    Raises:
        ModelError: tensors are missing, unexpected or of another shape than in the config, or the memory has another
            size than in ``memory``.
    """
    inside = unwrap({name: MemoryTensor(x) if isinstance(x, Tensor) else x for name, x in stored.items()}, where)
    actual = (inside.tokens, inside.cls_id, inside.sep_id)
    expected = (memory.tokens, memory.cls_id, memory.sep_id)
    if actual != expected:
        raise ModelError(f"{where}: memory, [CLS] and [SEP] are {actual}, but the settings state {expected}")
    config = _config(values, inside.stored[WORDS].shape[0], memory, where)
    tensors = match_tensors(inside.stored, config, "huggingface", where, values)
    layouts = {name: layout.read().to(torch.uint8) for name, layout in tensors.layouts.items()}
    encoder = network_with(assemble(tensors.pieces, tensors.stored, tensors.shapes), layouts, tensors.config)
    assert isinstance(encoder, Encoder)
    return RecurrentMemory(encoder)


def published_tensors(network: RecurrentMemory) -> dict[str, Tensor]:
    """Return the wrapper's state dict of a network, without the second name of the embedding.

    Raises:
        ModelError: the published classes cannot express the encoder.
    """
    config, tensors = network.encoder.config, tensors_of(network.encoder)
    inner = replace(config, memory=None)  # the published names express the encoder; the wrapper adds the memory
    _refuse_modernbert(inner, "this network")
    config_values(inner, "huggingface", "float32")  # raises an error if the names cannot express it
    shapes = tensor_shapes(inner)
    extra = extra_tensors(inner, "huggingface")
    table = [*pieces_of(inner, "huggingface", shapes), *extra.copies]
    published = {
        name: store(group, tensors.__getitem__, group[0].stored_shape(shapes), tensors[group[0].ours].dtype)
        for name, group in stored_together(table).items()
    }
    published |= {theirs: tensors[ours].to(torch.int64) for theirs, ours in extra.layouts.items()}
    return wrapped({**published, **extra.computed}, network.memory)


def _config(values: Mapping[str, Any], rows: int, memory: MemoryConfig, where: str) -> EncoderConfig:
    vocab_size = values.get("vocab_size")
    if vocab_size not in (rows, rows - memory.tokens):
        raise ModelError(
            f"{where}: the embedding has {rows} rows, {memory.tokens} of them memory, but its config has vocab_size"
            f" {vocab_size}"
        )
    config, layout = parse_config({**values, "vocab_size": rows}, where)
    if not isinstance(config, EncoderConfig) or layout != "huggingface":
        raise ModelError(f"{where}: the published recurrent memory wraps a BERT or BigBird")
    _refuse_modernbert(config, where)
    return replace(config, token_rows=config.token_rows or rows - memory.tokens, memory=memory)


def _refuse_modernbert(config: EncoderConfig, where: str) -> None:
    if is_modernbert(config):
        raise ModelError(f"{where}: the published recurrent memory wraps a BERT or BigBird, not ModernBERT")
