"""Merging of the ranks of a Megatron checkpoint into the tensors that one process would have saved.

Tensor parallelism splits a matrix by rows or by columns, and in SwiGLU's first matrix gate and up separately. Pipeline
parallelism restarts the numbering of layers in every stage, expert parallelism that of experts in every rank.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from genolm.errors import ModelError
from genolm.models.adapters.megatron.megatron import DERIVED, memory_layer
from genolm.models.adapters.megatron.megatron_ranks import Ranks

_LAYER = re.compile(r"decoder\.layers\.(\d+)\.(.+)")
_EXPERT = re.compile(r"(mlp\.experts\.local_experts\.|mlp\.experts\.linear_fc[12]\.weight)(\d+)(.*)")

View = Callable[[tuple[int, ...], int], tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Cut:
    """Split of a tensor by tensor parallelism.

    Attributes:
        view: shape as which each part is viewed, given its own shape and the number of experts in it.
        axis: axis of that view along which the parts are concatenated.
        grows: axis along which the stored tensor grows.
    """

    view: View
    axis: int
    grows: int


_ROWS = Cut(lambda shape, _: shape, 0, 0)
_COLUMNS = Cut(lambda shape, _: shape, 1, 1)
_GATE_UP = Cut(lambda shape, _: (2, shape[0] // 2, *shape[1:]), 1, 0)
_STACKED = {
    "mlp.experts.weight1": Cut(lambda shape, count: (count, shape[0], 2, shape[1] // count // 2), 3, 1),
    "mlp.experts.weight2": Cut(lambda shape, count: (count, shape[0] // count, shape[1]), 1, 0),
}
_CUTS: tuple[tuple[str, Cut], ...] = (
    (r"embedding\.word_embeddings\.weight|output_layer\.weight|self_attention\.linear_qkv\.weight", _ROWS),
    (r"self_attention\.linear_proj\.weight", _COLUMNS),
    (r"mlp\.(experts\.local_experts\.\d+\.)?linear_fc1\.weight|mlp\.experts\.linear_fc1\.weight\d+", _GATE_UP),
    (r"mlp\.(experts\.local_experts\.\d+\.)?linear_fc2\.weight|mlp\.experts\.linear_fc2\.weight\d+", _COLUMNS),
)


@dataclass(frozen=True, slots=True)
class Merged:
    """A tensor with parts in the files of several ranks.

    Attributes:
        name: name in the merged model.
        dtype: stored type.
        shape: shape of the merged tensor.
        parts: parts by expert rank, then by tensor rank.
        cut: how tensor parallelism splits it.
        experts: number of experts in a part, for tensors that hold several.
        copies: copies in other ranks, which must be equal.
    """

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]
    parts: tuple[tuple[Tensor, ...], ...]
    cut: Cut
    experts: int = 0
    copies: tuple[tuple[Tensor, ...], ...] = ()

    def read(self) -> Tensor:
        """Merge the parts.

        Raises:
            ModelError: copies in different ranks differ.
        """
        # Some versions do not share the gradients of a Gengram memory between tensor ranks: see :func:`drift`.
        if memory_layer(self.name) is None and self.largest_difference() is not None:
            raise ModelError(
                f"{self.name}: differs between ranks that must hold the same values; the checkpoint is inconsistent"
            )
        return self._joined()

    def largest_difference(self) -> float | None:
        """Return the largest difference between copies; None if they are bitwise equal."""
        pairs = [pair for copy in self.copies for pair in zip(copy, self.parts[0], strict=True)]
        apart = [
            (one.float() - other.float()).abs().max().item() for one, other in pairs if not torch.equal(one, other)
        ]
        return max(apart) if apart else None

    def _joined(self) -> Tensor:
        view = self.cut.view(tuple(self.parts[0][0].shape), self.experts)
        rows = [torch.cat([part.reshape(view) for part in row], self.cut.axis) for row in self.parts]
        return torch.cat(rows).reshape(self.shape)


def merge(ranks: Ranks) -> dict[str, Merged]:
    """Return every tensor of the merged model.

    Raises:
        ModelError: the ranks do not belong together.
    """
    _, stages, _ = ranks.sizes
    merged: dict[str, Merged] = {}
    first = 0
    chunks = {len(chunks) for chunks in ranks.chunks.values()}
    if len(chunks) > 1:
        raise ModelError(f"{ranks.folder}: its ranks have different numbers of pipeline chunks")
    for chunk in range(chunks.pop()):
        for stage in range(stages):
            layers = _merge_stage(ranks, stage, chunk, first, merged)
            first += layers
    return merged


def drift(merged: Mapping[str, object]) -> str | None:
    """Return a note on Gengram tensors that differ between tensor ranks (rank 0's are used); None without any."""
    apart = {
        name: largest
        for name, stored in merged.items()
        if memory_layer(name) and isinstance(stored, Merged) and (largest := stored.largest_difference()) is not None
    }
    if not apart:
        return None
    name = max(apart, key=lambda name: apart[name])
    return (
        f"Tensor-parallel ranks held different values of {len(apart)} Gengram tensors, at most {apart[name]:.3g} apart"
        f" ({name}); those of rank 0 are taken."
    )


def _merge_stage(ranks: Ranks, stage: int, chunk: int, first: int, merged: dict[str, Merged]) -> int:
    """Add a pipeline stage, whose layers begin at ``first``, to ``merged``; return the number of its layers."""
    shards, _, experts = ranks.sizes
    states = [[ranks.chunks[t, stage, e][chunk] for t in range(shards)] for e in range(experts)]
    names = [name for name in states[0][0] if not name.endswith(DERIVED)]
    for row in states:
        for state in row:
            if stray := {name for name in state if not name.endswith(DERIVED)} ^ set(names):
                raise ModelError(f"{ranks.folder}: not every rank of pipeline stage {stage} has {min(stray)}")
    layers = 0
    for name in names:
        inner = _LAYER.fullmatch(name)
        layers = max(layers, 0 if inner is None else int(inner[1]) + 1)
        for tensor in _merged_tensors(name, inner, first, states, str(ranks.folder)):
            if tensor.name in merged:
                raise ModelError(f"{ranks.folder}: two pipeline stages have {tensor.name}")
            merged[tensor.name] = tensor
    return layers


def _merged_tensors(
    name: str, inner: re.Match[str] | None, first: int, states: list[list[dict[str, Tensor]]], where: str
) -> list[Merged]:
    """Return the merged tensors for one name in a stage's ranks: one, or one for each expert rank."""
    rows = tuple(tuple(state[name] for state in row) for row in states)
    if inner is None:
        return [_joined(name, rows[:1], name, 0, rows[1:], where)]
    prefix, rest = f"decoder.layers.{int(inner[1]) + first}", inner[2]
    if rest in _STACKED:
        router = states[0][0].get(f"decoder.layers.{inner[1]}.mlp.router.weight")
        if router is None:
            raise ModelError(f"{where}: {name} is present without the router of its layer")
        return [_joined(f"{prefix}.{rest}", rows, rest, router.shape[0] // len(states), (), where)]
    expert = _EXPERT.fullmatch(rest)
    if expert is None:
        return [_joined(f"{prefix}.{rest}", rows[:1], rest, 0, rows[1:], where)]
    alike = [key for key in states[0][0] if key.startswith(f"decoder.layers.{inner[1]}.{expert[1]}")]
    here = len([key for key in alike if key.endswith(expert[3]) or not expert[3]])
    return [
        _joined(f"{prefix}.{expert[1]}{int(expert[2]) + number * here}{expert[3]}", (row,), rest, 0, (), where)
        for number, row in enumerate(rows)
    ]


def _joined(
    name: str,
    parts: tuple[tuple[Tensor, ...], ...],
    rest: str,
    experts: int,
    copies: tuple[tuple[Tensor, ...], ...],
    where: str,
) -> Merged:
    cut = _STACKED.get(rest) or next((cut for pattern, cut in _CUTS if re.fullmatch(pattern, rest)), None)
    if cut is None:  # replicated on every tensor rank
        every = [part for row in (*parts, *copies) for part in row]
        parts, copies, cut = ((every[0],),), tuple((part,) for part in every[1:]), _ROWS
    flat = [part for row in (*parts, *copies) for part in row]
    if len({(part.dtype, part.shape) for part in flat}) > 1:
        raise ModelError(f"{where}: {name} has different shapes or types in different ranks")
    return Merged(name, flat[0].dtype, _merged_shape(parts, cut, experts), parts, cut, experts, copies)


def _merged_shape(parts: tuple[tuple[Tensor, ...], ...], cut: Cut, experts: int) -> tuple[int, ...]:
    times = len(parts[0]) * (len(parts) if experts else 1)
    return tuple(size * times if axis == cut.grows else size for axis, size in enumerate(parts[0][0].shape))
