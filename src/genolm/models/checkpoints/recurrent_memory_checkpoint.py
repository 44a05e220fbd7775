"""Recurrent memories out of the state dicts of GENA-LM's wrapper, and back, strictly.

For use from Python: no verb reads or writes such files, as no weights of the wrapper were published. Folders in our own
layout need nothing of this: ``genolm.load`` and ``genolm.save`` know the memory from the config.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from genolm.errors import ModelError
from genolm.models.adapters.encoders import encoders
from genolm.models.adapters.encoders.modernbert_config import is_modernbert
from genolm.models.adapters.encoders.recurrent_memory_tensors import WORDS, unwrap, wrapped
from genolm.models.adapters.pieces import Held, InMemory, assemble, store, stored_together
from genolm.models.checkpoints.config_file import config_values, parse_config
from genolm.models.checkpoints.layouts import fit, pieces_of
from genolm.models.networks.encoder import Encoder
from genolm.models.networks.encoder_config import EncoderConfig
from genolm.models.networks.network import tensor_shapes, tensors_of
from genolm.models.networks.recurrent_memory import RecurrentMemory
from genolm.models.networks.recurrent_memory_config import MemoryConfig


def read_published(
    held: Mapping[str, Held | Tensor], values: Mapping[str, Any], memory: MemoryConfig, where: str = "state dict"
) -> RecurrentMemory:
    """The network of a wrapper's state dict; its weights keep the type in which they are stored, bit for bit.

    Args:
        held: the state dict.
        values: ``config.json`` of the BERT inside; its ``vocab_size`` may count the memory's rows or not.
        memory: how the memory is used, which no state dict tells
            (:func:`genolm.models.adapters.encoders.recurrent_memory_tensors.published_settings`).
        where: named in errors.

    Raises:
        ModelError: tensors that are missing, left over or of another shape than the config says, or a memory of another
            size than ``memory`` says.
    """
    inside = unwrap({name: InMemory(x) if isinstance(x, Tensor) else x for name, x in held.items()}, where)
    found = (inside.tokens, inside.cls_id, inside.sep_id)
    if found != (memory.tokens, memory.cls_id, memory.sep_id):
        told = (memory.tokens, memory.cls_id, memory.sep_id)
        raise ModelError(f"{where}: memory, [CLS] and [SEP] are {found}, its settings say {told}")
    config = _config(values, inside.held[WORDS].shape[0], memory, where)
    fitted = fit(inside.held, config, "huggingface", where, values)
    settled = fitted.config
    assert isinstance(settled, EncoderConfig)
    with torch.device("meta"):
        encoder = Encoder(settled)
    tensors = {name: stored.read().to(torch.uint8) for name, stored in fitted.layouts.items()}
    assemble(fitted.pieces, fitted.held, tensor_shapes(settled), tensors.__setitem__)
    encoder.load_state_dict(tensors, assign=True)
    return RecurrentMemory(encoder.eval())


def published_tensors(network: RecurrentMemory) -> dict[str, Tensor]:
    """The wrapper's state dict of a network, without the embedding's second name; the opposite of the above.

    Raises:
        ModelError: an encoder that the published classes cannot express.
    """
    config, tensors = network.encoder.config, tensors_of(network.encoder)
    inner = replace(config, memory=None)  # the published names say this much; the wrapper adds the memory
    _refuse_modernbert(inner, "this network")
    config_values(inner, "huggingface", "float32")  # refuses what they cannot say
    shapes, table = tensor_shapes(inner), [*pieces_of(inner, "huggingface"), *encoders.copies(inner)]
    found = {
        name: store(group, tensors.__getitem__, group[0].stored_shape(shapes), tensors[group[0].ours].dtype)
        for name, group in stored_together(table).items()
    }
    found |= {theirs: tensors[ours].to(torch.int64) for theirs, ours in encoders.layouts(inner).items()}
    return wrapped({**found, **encoders.computed(inner)}, network.memory)


def _config(values: Mapping[str, Any], rows: int, memory: MemoryConfig, where: str) -> EncoderConfig:
    told = values.get("vocab_size")
    if told not in (rows, rows - memory.tokens):
        raise ModelError(
            f"{where}: the embedding has {rows} rows, {memory.tokens} of them memory, but its config says vocab_size"
            f" {told}"
        )
    config, layout = parse_config({**values, "vocab_size": rows}, where)
    if not isinstance(config, EncoderConfig) or layout != "huggingface":
        raise ModelError(f"{where}: the published recurrent memory stands around a BERT or BigBird")
    _refuse_modernbert(config, where)
    return replace(config, token_rows=config.token_rows or rows - memory.tokens, memory=memory)


def _refuse_modernbert(config: EncoderConfig, where: str) -> None:
    if is_modernbert(config):
        raise ModelError(f"{where}: the published recurrent memory stands around a BERT or BigBird, not ModernBERT")
