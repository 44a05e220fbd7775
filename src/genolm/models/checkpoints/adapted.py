"""A base model with an adapter: the updates are added to its weights while they are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain

import torch
from torch import Tensor

from genolm.errors import ModelError
from genolm.models.adapters.encoders.modernbert_config import is_modernbert
from genolm.models.adapters.pieces import MemoryTensor, Piece, StoredTensor, assemble, build, check_pieces, grouped
from genolm.models.checkpoints.adapter_folder import AdapterFolder
from genolm.models.checkpoints.checkpoint import Checkpoint
from genolm.models.checkpoints.head_files import read_heads
from genolm.models.checkpoints.matching import MatchedTensors
from genolm.models.heads.head_config import LabelHeadConfig
from genolm.models.heads.headed_network import Head, build_head
from genolm.models.lora.base_weights import weights_sha256
from genolm.models.lora.peft_tensors import Change, match_adapter
from genolm.models.networks.encoder_config import EncoderConfig, LabelsOf
from genolm.models.networks.network import load_tensors, tensor_shapes
from genolm.notes import note

_NEW_HEAD = "labels"


@dataclass(frozen=True, slots=True, eq=False)
class _Adapted:
    """One of our weights with the changes of an adapter, made when it is read."""

    pieces: list[Piece]
    stored: Mapping[str, StoredTensor]
    shape: tuple[int, ...]
    dtype: torch.dtype
    changes: list[Change]

    def read(self) -> Tensor:
        """Read the weight and change it, in at least fp32 and rounded once."""
        wide = torch.promote_types(self.dtype, torch.float32)
        weight = build(self.pieces, self.stored, self.shape, wide)
        for change in self.changes:
            change.apply(weight)
        return weight.to(self.dtype)


def adapt(checkpoint: Checkpoint, adapter: AdapterFolder, dtype: torch.dtype | None = None) -> Checkpoint:
    """Return a checkpoint with an adapter merged into its weights, and with the heads of both.

    Args:
        checkpoint: the base.
        adapter: the adapter.
        dtype: precision in which the weights will be used; changed weights are rounded to it or to the stored
            precision, whichever is wider. None: to the stored precision.

    Raises:
        ModelError: the adapter was made for another base, or its tensors do not match it.
    """
    _check_base(checkpoint, adapter)
    base = checkpoint.tensors
    matched = match_adapter(adapter.tensors, adapter.options, base.config, str(adapter.weights))
    groups = grouped(base.pieces)
    stored: dict[str, StoredTensor] = dict(base.stored)
    pieces = [piece for piece in base.pieces if piece.ours not in matched.changes]
    for name, changes in matched.changes.items():
        kind = base.stored[groups[name][0].stored].dtype
        kind = kind if dtype is None else torch.promote_types(kind, dtype)
        key = f"{name} with its adapter"
        stored[key] = _Adapted(groups[name], base.stored, base.shapes[name], kind, changes)
        pieces.append(Piece(key, name))
    tensors = replace(base, pieces=pieces, stored=stored)
    heads = dict(checkpoint.heads)
    if adapter.card is not None:
        heads |= read_heads(adapter.path, adapter.card.heads, base.config)
    if matched.classifier:
        tensors, head = _with_classifier(tensors, dict(matched.classifier), adapter)
        heads |= head
    card = replace(checkpoint.card if adapter.card is None else adapter.card, sha256=None, base_sha256=None)
    return replace(checkpoint, card=card, tensors=tensors, heads=heads)


def _check_base(checkpoint: Checkpoint, adapter: AdapterFolder) -> None:
    """Raise an error if an adapter was made for other weights; note if it does not say for which."""
    recorded = None if adapter.card is None else adapter.card.base_sha256
    if recorded is None:
        note(
            f"{adapter.path}: the adapter does not record the SHA-256 of its base; make sure that it was trained on"
            f" {checkpoint.card.name}"
        )
        return
    base = checkpoint.tensors
    layouts = ((name, layout.read().to(torch.uint8)) for name, layout in base.layouts.items())
    actual = weights_sha256(chain(assemble(base.pieces, base.stored, base.shapes), layouts))
    if actual != recorded:
        raise ModelError(
            f"{adapter.path}: the adapter was trained on a base with the SHA-256 {recorded}, but that of"
            f" {checkpoint.card.name} is {actual}"
        )


def _with_classifier(
    tensors: MatchedTensors, classifier: dict[str, Tensor], adapter: AdapterFolder
) -> tuple[MatchedTensors, dict[str, Head]]:
    """Add the head of transformers' classes for labels: to an encoder itself, to a decoder as a new head."""
    config, where, task = tensors.config, str(adapter.weights), adapter.options.task
    if task not in ("SEQ_CLS", "TOKEN_CLS") or "weight" not in classifier or classifier["weight"].ndim != 2:
        raise ModelError(f"{where}: holds a head for labels, but its task_type is {task!r}, not SEQ_CLS or TOKEN_CLS")
    count = len(classifier["weight"])
    of: LabelsOf = "token" if task == "TOKEN_CLS" else "sequence"
    if isinstance(config, EncoderConfig):
        if is_modernbert(config):
            raise ModelError(f"{where}: heads for labels of ModernBERT are not supported")
        grown = replace(config, labels=count, labels_of=of)
        shapes = tensor_shapes(grown)
        names = [name for name in shapes if name not in tensors.shapes]
        given = {name: MemoryTensor(classifier[name.rpartition(".")[2]]) for name in names}
        pieces = [Piece(name, name) for name in names]
        check_pieces(pieces, given, shapes, where)
        grown_pieces, stored = [*tensors.pieces, *pieces], {**tensors.stored, **given}
        return replace(tensors, config=grown, shapes=shapes, pieces=grown_pieces, stored=stored), {}
    labels = tuple(str(number) for number in range(count))
    head = LabelHeadConfig(
        labels,
        of=of,
        task="classes" if count > 1 else "regression",
        pooling="last",
        both_sides=False,
        bias="bias" in classifier,
    )
    made = build_head(head, config)
    load_tensors(made, {f"output.{name}": tensor for name, tensor in classifier.items()}, where)
    return tensors, {_NEW_HEAD: made.eval()}
