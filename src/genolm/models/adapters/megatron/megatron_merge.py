"""The ranks of a Megatron checkpoint put together: tensors as a run on one process would have saved them.

Tensor parallelism cuts a matrix by rows or by columns; of SwiGLU's first matrix it cuts gate and up each. Pipeline
parallelism numbers layers anew in every stage, expert parallelism experts in every rank.
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
    """How tensor parallelism cuts a tensor.

    Attributes:
        view: shape that each part is seen as, given its own shape and the experts in it.
        axis: along which the parts of that view are joined.
        grows: along which the stored tensor grows by that.
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
    """A tensor whose parts lie in the files of several ranks.

    Attributes:
        name: its name in the whole model.
        dtype: stored type.
        shape: of the whole.
        parts: by expert rank, then by tensor rank.
        cut: how tensor ranks are joined.
        experts: experts in a part, of tensors that hold several.
        copies: what other ranks hold of the same; they must be equal.
    """

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]
    parts: tuple[tuple[Tensor, ...], ...]
    cut: Cut
    experts: int = 0
    copies: tuple[tuple[Tensor, ...], ...] = ()

    def read(self) -> Tensor:
        """The whole tensor.

        Raises:
            ModelError: ranks that should hold the same hold different values.
        """
        # Gradients of a memory are not shared between tensor ranks by every version: see :func:`drift`.
        if memory_layer(self.name) is None and self.largest_difference() is not None:
            raise ModelError(f"{self.name}: differs between ranks that should hold the same; the checkpoint is torn")
        return self._joined()

    def largest_difference(self) -> float | None:
        """How far apart the copies are; None where they are the same, bit for bit."""
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
    """Every tensor of the whole model.

    Raises:
        ModelError: ranks that do not belong together.
    """
    _, stages, _ = ranks.sizes
    held: dict[str, Merged] = {}
    first = 0
    chunks = {len(chunks) for chunks in ranks.chunks.values()}
    if len(chunks) > 1:
        raise ModelError(f"{ranks.folder}: its ranks hold different numbers of pipeline chunks")
    for chunk in range(chunks.pop()):
        for stage in range(stages):
            layers = _merge_stage(ranks, stage, chunk, first, held)
            first += layers
    return held


def drift(held: Mapping[str, object]) -> str | None:
    """A note on Gengram tensors that tensor ranks hold differently, of which rank 0's are taken; None without any."""
    apart = {
        name: largest
        for name, stored in held.items()
        if memory_layer(name) and isinstance(stored, Merged) and (largest := stored.largest_difference()) is not None
    }
    if not apart:
        return None
    name = max(apart, key=lambda name: apart[name])
    return (
        f"Tensor-parallel ranks held different values of {len(apart)} Gengram tensors, at most {apart[name]:.3g} apart"
        f" ({name}); those of rank 0 are taken."
    )


def _merge_stage(ranks: Ranks, stage: int, chunk: int, first: int, held: dict[str, Merged]) -> int:
    """Add a pipeline stage, whose layers begin at ``first``, to ``held``; how many layers it has."""
    tensor, _, experts = ranks.sizes
    states = [[ranks.chunks[t, stage, e][chunk] for t in range(tensor)] for e in range(experts)]
    names = [name for name in states[0][0] if not name.endswith(DERIVED)]
    for row in states:
        for state in row:
            if stray := {name for name in state if not name.endswith(DERIVED)} ^ set(names):
                raise ModelError(f"{ranks.folder}: not every rank of pipeline stage {stage} holds {min(stray)}")
    layers = 0
    for name in names:
        inner = _LAYER.fullmatch(name)
        layers = max(layers, 0 if inner is None else int(inner[1]) + 1)
        for whole in _whole(name, inner, first, states, str(ranks.folder)):
            if whole.name in held:
                raise ModelError(f"{ranks.folder}: two pipeline stages hold {whole.name}")
            held[whole.name] = whole
    return layers


def _whole(
    name: str, inner: re.Match[str] | None, first: int, states: list[list[dict[str, Tensor]]], where: str
) -> list[Merged]:
    """The tensors of the whole model that one name of a stage's ranks stands for: one, or one for each expert rank."""
    rows = tuple(tuple(state[name] for state in row) for row in states)
    if inner is None:
        return [_joined(name, rows[:1], name, 0, rows[1:], where)]
    prefix, rest = f"decoder.layers.{int(inner[1]) + first}", inner[2]
    if rest in _STACKED:
        router = states[0][0].get(f"decoder.layers.{inner[1]}.mlp.router.weight")
        if router is None:
            raise ModelError(f"{where}: {name} without the router of its layer")
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
    if cut is None:  # every tensor rank holds the whole
        every = [part for row in (*parts, *copies) for part in row]
        parts, copies, cut = ((every[0],),), tuple((part,) for part in every[1:]), _ROWS
    flat = [part for row in (*parts, *copies) for part in row]
    if len({(part.dtype, part.shape) for part in flat}) > 1:
        raise ModelError(f"{where}: the ranks hold {name} in different shapes or types")
    return Merged(name, flat[0].dtype, _whole_shape(parts, cut, experts), parts, cut, experts, copies)


def _whole_shape(parts: tuple[tuple[Tensor, ...], ...], cut: Cut, experts: int) -> tuple[int, ...]:
    times = len(parts[0]) * (len(parts) if experts else 1)
    return tuple(size * times if axis == cut.grows else size for axis, size in enumerate(parts[0][0].shape))
