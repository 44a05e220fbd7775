"""State dicts of GENA-LM's recurrent-memory wrapper: names, what they hold beside weights, and its settings.

The wrapper holds a BERT under ``model.``, whose word embedding has grown by the memory's vectors. Beside it stand the
ids of the memory and of [CLS] and [SEP], and, in a full state dict, the word embedding once more under a second name.
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
    """A wrapper's state dict taken apart.

    Attributes:
        stored: the tensors of the BERT inside, under its own names.
        tokens: vectors of the memory.
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
    """The use of a memory that the published ``rmt_config`` describes; [CLS] is 1 and [SEP] 2.

    Args:
        values: ``num_mem_tokens``, ``input_size``, ``max_n_segments``, ``bptt_depth``, ``sum_loss``.
        alignment: GENA-LM's classes do ``center``; those they come from ``right``, where not told otherwise.
        attended_padding: 0 for GENA-LM's class for sequences, None for its class for tokens.

    Raises:
        ModelError: a setting that is not known, or one that is missing.
    """
    if unknown := set(values) - _SETTINGS:
        raise ModelError(f"unknown settings of a recurrent memory: {', '.join(sorted(unknown))}")
    if missing := {"num_mem_tokens", "input_size", "max_n_segments"} - set(values):
        raise ModelError(f"settings of a recurrent memory that are missing: {', '.join(sorted(missing))}")
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
    """Take a wrapper's state dict apart.

    Raises:
        ModelError: a tensor that no wrapper has, missing ids, ids that are not those of the last rows of the embedding,
            or a second copy of the embedding that differs.
    """
    if missing := [name for name in (*_IDS, PREFIX + WORDS) if name not in stored]:
        raise ModelError(f"{where}: no state dict of a recurrent memory; it lacks {', '.join(missing)}")
    if stray := [name for name in stored if not name.startswith(PREFIX) and name not in _IDS]:
        raise ModelError(f"{where}: a recurrent memory has no tensor {stray[0]}")
    inner = {name.removeprefix(PREFIX): tensor for name, tensor in stored.items() if name.startswith(PREFIX)}
    alias = inner.pop(ALIAS.removeprefix(PREFIX), None)
    if alias is not None and not same(alias, inner[WORDS]):
        raise ModelError(f"{where}: {ALIAS} differs from {PREFIX}{WORDS}, which it is another name of")
    memory, cls, sep = (_ids(stored[name], f"{where}: {name}") for name in _IDS)
    rows = inner[WORDS].shape[0]
    if memory != list(range(rows - len(memory), rows)):
        raise ModelError(f"{where}: mem_token_ids are not the last rows of an embedding of {rows}")
    if len(cls) != 1 or len(sep) != 1:
        raise ModelError(f"{where}: cls_token and sep_token hold one id each")
    return Unwrapped(inner, len(memory), cls[0], sep[0])


def wrapped(inner: Mapping[str, Tensor], memory: MemoryConfig) -> dict[str, Tensor]:
    """The wrapper's state dict around the published tensors of a BERT; without the embedding's second name."""
    rows = inner[WORDS].shape[0]
    ids = {
        "mem_token_ids": torch.arange(rows - memory.tokens, rows),
        "cls_token": torch.tensor([memory.cls_id]),
        "sep_token": torch.tensor([memory.sep_id]),
    }
    return {**{PREFIX + name: tensor for name, tensor in inner.items()}, **ids}


def _ids(tensor: StoredTensor, place: str) -> list[int]:
    if tensor.dtype != torch.int64 or len(tensor.shape) != 1:
        raise ModelError(f"{place} is {tensor.dtype} {list(tensor.shape)}, not a list of ids")
    return [int(number) for number in tensor.read()]
