"""A layout as a table of pieces: which part of which of our tensors a stored tensor is.

The same table loads (stored tensor into our part) and saves (our part out as a tensor), so that a round trip is bitwise
by construction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from genolm.errors import ModelError
from genolm.models.shards import Stored

Place = tuple[int | slice, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """``stored``, a tensor of the checkpoint, is ``ours[place]``."""

    stored: str
    ours: str
    place: Place = ()


def assemble(
    pieces: Iterable[Piece],
    held: Mapping[str, Stored],
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
    held: Mapping[str, Stored],
    shape: tuple[int, ...],
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
) -> Tensor:
    """One of our tensors, of ``shape``, out of all its pieces; dtype and device as in :func:`assemble`."""
    if group[0].place == ():
        return held[group[0].stored].read().to(device=device, dtype=dtype)
    target = torch.empty(shape, dtype=dtype or held[group[0].stored].dtype, device=device)
    for piece in group:
        target[piece.place].copy_(held[piece.stored].read())
    return target


def check(
    pieces: Iterable[Piece], held: Mapping[str, Stored], shapes: Mapping[str, tuple[int, ...]], where: str
) -> None:
    """Compare the checkpoint with the layout, name by name and shape by shape.

    Raises:
        ModelError: a tensor is missing, has no place, another shape or type; the first is named, the rest counted.
    """
    table = {piece.stored: piece for piece in pieces}
    if missing := [name for name in table if name not in held]:
        raise ModelError(f"{where}: lacks the tensor {_first(missing)}")
    if unmatched := [name for name in held if name not in table]:
        raise ModelError(f"{where}: the config has no place for the tensor {_first(unmatched)}")
    for name, piece in table.items():
        expected = part_shape(shapes[piece.ours], piece.place)
        if held[name].shape != expected:
            raise ModelError(f"{where}: {name} is {list(held[name].shape)} where its config asks for {list(expected)}")
        if not held[name].dtype.is_floating_point:
            raise ModelError(f"{where}: {name} holds {held[name].dtype}, not floating-point weights")
    for name, group in grouped(table.values()).items():
        if len({held[piece.stored].dtype for piece in group}) > 1:
            raise ModelError(f"{where}: the parts of {name} are stored in different types")


def _first(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} (and {len(names) - 1} more)"


def grouped(pieces: Iterable[Piece]) -> dict[str, list[Piece]]:
    """The pieces of each of our tensors."""
    groups: dict[str, list[Piece]] = {}
    for piece in pieces:
        groups.setdefault(piece.ours, []).append(piece)
    return groups


def part_shape(shape: tuple[int, ...], place: Place) -> tuple[int, ...]:
    """Shape of ``tensor[place]`` for a tensor of ``shape``."""
    kept = [
        len(range(*step.indices(size))) for size, step in zip(shape, place, strict=False) if isinstance(step, slice)
    ]
    return (*kept, *shape[len(place) :])
