"""A layout as a table of pieces: which part of which of our tensors a stored tensor, or a part of it, is.

The same table loads (stored tensor into our part) and saves (our part out as a tensor), so that a round trip is bitwise
by construction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from genolm.errors import ModelError

Place = tuple[int | slice, ...]

_WRAPPERS = (".module.", "._orig_mod.", "._fsdp_wrapped_module.")  # DistributedDataParallel, torch.compile, FSDP
_OTHERS_NAMED = 4  # tensors that do not fit are named in an error, but not by the hundred


class Held(Protocol):
    """A tensor of a checkpoint that is read when it is asked for."""

    @property
    def dtype(self) -> torch.dtype:
        """The stored type."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """The stored shape."""
        ...

    def read(self) -> Tensor:
        """The tensor itself."""
        ...


@dataclass(frozen=True, slots=True)
class InMemory:
    """A tensor at hand, of a state dict or of an opened pickle, whose bytes stay in the file until they are read."""

    tensor: Tensor

    @property
    def dtype(self) -> torch.dtype:
        """Its type."""
        return self.tensor.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        return tuple(self.tensor.shape)

    def read(self) -> Tensor:
        """A copy of its own."""
        return self.tensor.contiguous().clone()


@dataclass(frozen=True, slots=True)
class Within:
    """Where in a stored tensor a piece lies, for layouts that store several of our tensors as one.

    Attributes:
        shape: of the stored tensor.
        view: shape that it is seen as.
        part: what of that view is meant.
        transposed: whether the last two dimensions stand the other way round in ours.
    """

    shape: tuple[int, ...]
    view: tuple[int, ...]
    part: Place = ()
    transposed: bool = False

    def of(self, stored: Tensor) -> Tensor:
        """The piece as a view of the stored tensor."""
        part = stored.view(self.view)[self.part]
        return part.transpose(-1, -2) if self.transposed else part


@dataclass(frozen=True, slots=True)
class Piece:
    """``stored``, a tensor of the checkpoint or what is ``within`` it, is ``ours[place]``."""

    stored: str
    ours: str
    place: Place = ()
    within: Within | None = None

    def taken(self, stored: Tensor) -> Tensor:
        """The piece out of the stored tensor; its rows may still stand in several dimensions."""
        return stored if self.within is None else self.within.of(stored)

    def stored_shape(self, shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
        """Shape of the stored tensor, given the shapes of ours."""
        return part_shape(shapes[self.ours], self.place) if self.within is None else self.within.shape


def assemble(
    pieces: Iterable[Piece],
    held: Mapping[str, Held],
    shapes: Mapping[str, tuple[int, ...]],
    put: Callable[[str, Tensor], None],
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
) -> None:
    """Hand our tensors to ``put``, one after the other, made of what the checkpoint holds.

    Args:
        pieces: the layout; the pieces of one tensor stand together.
        held: the checkpoint; call :func:`check` first.
        shapes: our tensors.
        put: takes a name and its finished tensor.
        dtype: of the tensors; None keeps the stored one.
        device: where they are made.
    """
    for name, group in grouped(pieces).items():
        put(name, build(group, held, shapes[name], dtype, device))


def build(
    group: Sequence[Piece],
    held: Mapping[str, Held],
    shape: tuple[int, ...],
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
) -> Tensor:
    """One of our tensors, of ``shape``, out of all its pieces; dtype and device as in :func:`assemble`."""
    first = group[0]
    if first.place == ():
        whole = first.taken(held[first.stored].read())
        if first.within is not None:  # or every piece would keep the stored tensor alive as a whole
            whole = whole.clone()
        return whole.to(device=device, dtype=dtype).reshape(shape).contiguous()
    target = torch.empty(shape, dtype=dtype or held[first.stored].dtype, device=device)
    for piece in group:
        part = target[piece.place]
        part.copy_(piece.taken(held[piece.stored].read()).reshape(part.shape))
    return target


def store(
    group: Sequence[Piece], tensor: Callable[[str], Tensor], shape: tuple[int, ...], dtype: torch.dtype
) -> Tensor:
    """One stored tensor, of ``shape``, out of all the pieces in it; ``tensor`` gives ours by name."""
    first = group[0]
    if first.within is None:
        return tensor(first.ours)[first.place].to(dtype=dtype, copy=True)
    target = torch.empty(shape, dtype=dtype)
    for piece in group:
        part = piece.taken(target)
        part.copy_(tensor(piece.ours)[piece.place].reshape(part.shape))
    return target


def check(pieces: Iterable[Piece], held: Mapping[str, Held], shapes: Mapping[str, tuple[int, ...]], where: str) -> None:
    """Compare the checkpoint with the layout, name by name and shape by shape.

    Raises:
        ModelError: a tensor is missing, has no place, another shape or type; the first is named, the rest counted.
    """
    pieces = list(pieces)
    table = {piece.stored: piece for piece in pieces}
    if missing := [name for name in table if name not in held]:
        raise ModelError(f"{where}: lacks the tensor {_first(missing)}{_advice(held)}")
    if unmatched := [name for name in held if name not in table]:
        raise ModelError(f"{where}: the config has no place for the tensor {_first(unmatched)}{_advice(held)}")
    for name, piece in table.items():
        expected = piece.stored_shape(shapes)
        if held[name].shape != expected:
            raise ModelError(f"{where}: {name} is {list(held[name].shape)} where its config asks for {list(expected)}")
        if not held[name].dtype.is_floating_point:
            raise ModelError(f"{where}: {name} holds {held[name].dtype}, not floating-point weights")
    for name, group in grouped(pieces).items():
        if len({held[piece.stored].dtype for piece in group}) > 1:
            raise ModelError(f"{where}: the parts of {name} are stored in different types")


def _advice(held: Iterable[str]) -> str:
    """What to do about tensors of a model that was saved as it was wrapped for training."""
    names = list(held)
    if any("lora_" in name or name.startswith("base_model.model.") for name in names):
        return "; there are tensors of a PEFT adapter: merge it (merge_and_unload), then save the model"
    if wrapped := [name for name in names if any(word in f".{name}" for word in _WRAPPERS)]:
        return f"; {wrapped[0]} is a name of a wrapped model: save the model without it (model.module, _orig_mod)"
    return ""


def _first(names: list[str]) -> str:
    """The first name, and after it some of the others."""
    if len(names) == 1:
        return names[0]
    others = ", ".join(names[1 : 1 + _OTHERS_NAMED]) + (", ..." if len(names) > 1 + _OTHERS_NAMED else "")
    return f"{names[0]} (and {len(names) - 1} more: {others})"


def grouped(pieces: Iterable[Piece]) -> dict[str, list[Piece]]:
    """The pieces of each of our tensors."""
    groups: dict[str, list[Piece]] = {}
    for piece in pieces:
        groups.setdefault(piece.ours, []).append(piece)
    return groups


def stored_together(pieces: Iterable[Piece]) -> dict[str, list[Piece]]:
    """The pieces of each stored tensor."""
    groups: dict[str, list[Piece]] = {}
    for piece in pieces:
        groups.setdefault(piece.stored, []).append(piece)
    return groups


def part_shape(shape: tuple[int, ...], place: Place) -> tuple[int, ...]:
    """Shape of ``tensor[place]`` for a tensor of ``shape``."""
    kept = [
        len(range(*step.indices(size))) for size, step in zip(shape, place, strict=False) if isinstance(step, slice)
    ]
    return (*kept, *shape[len(place) :])
