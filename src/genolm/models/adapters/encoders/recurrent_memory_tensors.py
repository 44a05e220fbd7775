"""State dicts of GENA-LM's recurrent-memory wrapper: names, ids stored with the weights, and settings.

The wrapper holds a BERT under ``model.``, whose word embedding is extended by the memory's vectors. It also stores the
ids of the memory and of [CLS] and [SEP] and, in a full state dict, the word embedding again under a second name.
No trained weights of it were published.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from genolm.errors import ModelError
from genolm.models.adapters.pieces import StoredTensor, same
from genolm.models.networks.recurrent_memory_config import Alignment, MemoryConfig

PREFIX = "model."
ALIAS = "model.embeddings.weight"
WORDS = "bert.embeddings.word_embeddings.weight"
_IDS = {"mem_token_ids": "memory", "cls_token": "[CLS]", "sep_token": "[SEP]"}
_SETTINGS = {"num_mem_tokens", "input_size", "max_n_segments", "bptt_depth", "sum_loss"}


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """Content of a wrapper's state dict.

    Attributes:
        stored: tensors of the BERT inside, under its own names.
        tokens: number of memory vectors.
        cls_id: id of [CLS].
        sep_id: id of [SEP].
    """

    stored: dict[str, StoredTensor]
    tokens: int
    cls_id: int
    sep_id: int


def published_settings(
    values: Mapping[str, Any], *, alignment: Alignment = "center", attended_padding: int | None = None
) -> MemoryConfig:
    """Return the settings of a memory that the published ``rmt_config`` describes; [CLS] is 1 and [SEP] is 2.

    Args:
        values: ``num_mem_tokens``, ``input_size``, ``max_n_segments``, ``bptt_depth``, ``sum_loss``.
        alignment: ``center`` in GENA-LM's classes; the default of the classes they derive from is ``right``.
        attended_padding: 0 for GENA-LM's class for sequences, None for its class for tokens.

    Raises:
        ModelError: a setting is unknown or missing.
    """
    if unknown := set(values) - _SETTINGS:
        raise ModelError(f"unknown settings of a recurrent memory: {', '.join(sorted(unknown))}")
    if missing := {"num_mem_tokens", "input_size", "max_n_segments"} - set(values):
        raise ModelError(f"missing settings of a recurrent memory: {', '.join(sorted(missing))}")
    return MemoryConfig(
        tokens=int(values["num_mem_tokens"]),
        segment=int(values["input_size"]),
        max_segments=int(values["max_n_segments"]),
        depth=int(values.get("bptt_depth", -1)),
        loss="mean" if values.get("sum_loss") else "last",
        alignment=alignment,
        attended_padding=attended_padding,
    )


def unwrap(stored: Mapping[str, StoredTensor], where: str) -> Unwrapped:
    """Split a wrapper's state dict into the BERT inside and the memory.

    Raises:
        ModelError: an unexpected tensor, missing ids, memory ids that are not the last rows of the embedding,
            or a second copy of the embedding that differs.
    """
    if missing := [name for name in (*_IDS, PREFIX + WORDS) if name not in stored]:
        raise ModelError(f"{where}: not a state dict of a recurrent memory: missing {', '.join(missing)}")
    if stray := [name for name in stored if not name.startswith(PREFIX) and name not in _IDS]:
        raise ModelError(f"{where}: unexpected tensor {stray[0]} in a recurrent memory")
    inner = {name.removeprefix(PREFIX): tensor for name, tensor in stored.items() if name.startswith(PREFIX)}
    alias = inner.pop(ALIAS.removeprefix(PREFIX), None)
    if alias is not None and not same(alias, inner[WORDS]):
        raise ModelError(f"{where}: {ALIAS} differs from {PREFIX}{WORDS}, of which it must be a copy")
    memory, cls, sep = (_ids(stored[name], f"{where}: {name}") for name in _IDS)
    rows = inner[WORDS].shape[0]
    if memory != list(range(rows - len(memory), rows)):
        raise ModelError(f"{where}: mem_token_ids are not the last rows of an embedding of {rows}")
    if len(cls) != 1 or len(sep) != 1:
        raise ModelError(f"{where}: cls_token and sep_token must hold one id each")
    return Unwrapped(inner, len(memory), cls[0], sep[0])


def wrapped(inner: Mapping[str, Tensor], memory: MemoryConfig) -> dict[str, Tensor]:
    """Return the wrapper's state dict for the published tensors of a BERT, without the second name of the embedding."""
    rows = inner[WORDS].shape[0]
    ids = {
        "mem_token_ids": torch.arange(rows - memory.tokens, rows),
        "cls_token": torch.tensor([memory.cls_id]),
        "sep_token": torch.tensor([memory.sep_id]),
    }
    return {**{PREFIX + name: tensor for name, tensor in inner.items()}, **ids}


def _ids(tensor: StoredTensor, where: str) -> list[int]:
    if tensor.dtype != torch.int64 or len(tensor.shape) != 1:
        raise ModelError(f"{where} is {tensor.dtype} {list(tensor.shape)}, not a list of ids")
    return [int(number) for number in tensor.read()]
