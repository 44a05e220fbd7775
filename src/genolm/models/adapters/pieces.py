"""Layouts as tables of pieces: each maps a stored tensor, or a part of it, to a part of one of our tensors.

The same table serves for loading (stored tensor into our part) and for saving (our part to a stored tensor), so that a
round trip is bitwise by construction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

from genolm.errors import ModelError
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.encoder_config import EncoderConfig

Part = tuple[int | slice, ...]
"""Index of a part of a tensor; empty for all of it."""

_WRAPPERS = (".module.", "._orig_mod.", "._fsdp_wrapped_module.")  # DistributedDataParallel, torch.compile, FSDP
_LISTED = 4  # further tensors listed in an error


class StoredTensor(Protocol):
    """A tensor of a checkpoint, read on demand."""

    @property
    def dtype(self) -> torch.dtype:
        """Stored type."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Stored shape."""
        ...

    def read(self) -> Tensor:
        """Read the tensor."""
        ...


@dataclass(frozen=True, slots=True)
class MemoryTensor:
    """A tensor of a state dict or of an opened pickle, whose bytes may stay in the file until they are read."""

    tensor: Tensor

    @property
    def dtype(self) -> torch.dtype:
        """Type of the tensor."""
        return self.tensor.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the tensor."""
        return tuple(self.tensor.shape)

    def read(self) -> Tensor:
        """Return a copy."""
        return self.tensor.contiguous().clone()


def same(first: StoredTensor, second: StoredTensor) -> bool:
    """Return whether two stored tensors hold the same values."""
    return first.shape == second.shape and torch.equal(first.read(), second.read())


ConfigT = TypeVar("ConfigT", DecoderConfig, EncoderConfig, covariant=True)


@dataclass(frozen=True, slots=True)
class SelectedTensors(Generic[ConfigT]):
    """The tensors of a checkpoint that agree with its config.

    Attributes:
        config: config with the heads that the tensors have.
        weights: stored weights, without copies and values that follow from the config.
        layouts: block layouts of sparse attention, by our names.
        notes: remarks on what was left out or chosen.
    """

    config: ConfigT
    weights: Mapping[str, StoredTensor]
    layouts: Mapping[str, StoredTensor] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Within:
    """Location of a piece in a stored tensor, for layouts that store several of our tensors as one.

    Attributes:
        shape: shape of the stored tensor.
        view: shape as which it is viewed.
        part: index of the piece in that view.
        transposed: whether the last two dimensions are swapped relative to ours.
    """

    shape: tuple[int, ...]
    view: tuple[int, ...]
    part: Part = ()
    transposed: bool = False

    def of(self, stored: Tensor) -> Tensor:
        """Return the piece as a view of the stored tensor."""
        part = stored.view(self.view)[self.part]
        return part.transpose(-1, -2) if self.transposed else part


@dataclass(frozen=True, slots=True)
class Piece:
    """A tensor of the checkpoint, or what is ``within`` it, and the part of our tensor that it holds.

    Attributes:
        stored: name in the checkpoint.
        ours: name in our network.
        part: part of our tensor.
        within: location in the stored tensor; None for all of it.
    """

    stored: str
    ours: str
    part: Part = ()
    within: Within | None = None

    def of(self, stored: Tensor) -> Tensor:
        """Return the piece as a view of the stored tensor; its rows may span several dimensions."""
        return stored if self.within is None else self.within.of(stored)

    def stored_shape(self, shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
        """Return the shape of the stored tensor, given the shapes of ours."""
        return part_shape(shapes[self.ours], self.part) if self.within is None else self.within.shape


@dataclass(frozen=True, slots=True)
class ExtraTensors:
    """Tensors of a file in addition to the weights.

    Attributes:
        copies: weights that the file holds a second time.
        layouts: our name of each layer's block layout by its name in the file.
        computed: tensors that follow from the config.
    """

    copies: Sequence[Piece] = ()
    layouts: Mapping[str, str] = field(default_factory=dict)
    computed: Mapping[str, Tensor] = field(default_factory=dict)


def assemble(
    pieces: Iterable[Piece],
    stored: Mapping[str, StoredTensor],
    shapes: Mapping[str, tuple[int, ...]],
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
) -> Iterator[tuple[str, Tensor]]:
    """Yield the name and the value of each of our tensors, made from a checkpoint.

    Args:
        pieces: the layout; the pieces of a tensor must be consecutive.
        stored: tensors of the checkpoint; call :func:`check_pieces` first.
        shapes: shapes of our tensors.
        dtype: type of the tensors; None keeps the stored one.
        device: device of the tensors.
    """
    for name, group in grouped(pieces).items():
        yield name, build(group, stored, shapes[name], dtype, device)


def build(
    group: Sequence[Piece],
    stored: Mapping[str, StoredTensor],
    shape: tuple[int, ...],
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Make one of our tensors, of ``shape``, from all its pieces; dtype and device as in :func:`assemble`."""
    first = group[0]
    if first.part == ():
        tensor = first.of(stored[first.stored].read())
        if first.within is not None:  # otherwise every piece would keep the entire stored tensor in memory
            tensor = tensor.clone()
        return tensor.to(device=device, dtype=dtype).reshape(shape).contiguous()
    target = torch.empty(shape, dtype=dtype or stored[first.stored].dtype, device=device)
    for piece in group:
        part = target[piece.part]
        part.copy_(piece.of(stored[piece.stored].read()).reshape(part.shape))
    return target


def store(
    group: Sequence[Piece], tensor: Callable[[str], Tensor], shape: tuple[int, ...], dtype: torch.dtype
) -> Tensor:
    """Make a stored tensor of ``shape`` from all pieces in it; ``tensor`` returns ours by name."""
    first = group[0]
    if first.within is None:
        return tensor(first.ours)[first.part].to(dtype=dtype, copy=True)
    target = torch.empty(shape, dtype=dtype)
    for piece in group:
        part = piece.of(target)
        part.copy_(tensor(piece.ours)[piece.part].reshape(part.shape))
    return target


def check_pieces(
    pieces: Iterable[Piece],
    stored: Mapping[str, StoredTensor],
    shapes: Mapping[str, tuple[int, ...]],
    where: str,
) -> None:
    """Compare a checkpoint with a layout, name by name and shape by shape.

    Raises:
        ModelError: a tensor is missing, unexpected, or has another shape or type; the first is named, the rest counted.
    """
    pieces = list(pieces)
    table = {piece.stored: piece for piece in pieces}
    if missing := [name for name in table if name not in stored]:
        raise ModelError(f"{where}: missing tensor {_listed(missing)}{_advice(stored)}")
    if unexpected := [name for name in stored if name not in table]:
        raise ModelError(f"{where}: unexpected tensor {_listed(unexpected)}, unknown to its config{_advice(stored)}")
    for name, piece in table.items():
        expected = piece.stored_shape(shapes)
        if stored[name].shape != expected:
            raise ModelError(
                f"{where}: {name} has the shape {list(stored[name].shape)}; its config expects {list(expected)}"
            )
        if not stored[name].dtype.is_floating_point:
            raise ModelError(f"{where}: {name} holds {stored[name].dtype}, not floating-point weights")
    for name, group in grouped(pieces).items():
        if len({stored[piece.stored].dtype for piece in group}) > 1:
            raise ModelError(f"{where}: the parts of {name} are stored in different types")


def _advice(stored: Iterable[str]) -> str:
    """Return the remedy for tensors of a model that was saved with the wrappers of its training."""
    names = list(stored)
    if any("lora_" in name or name.startswith("base_model.model.") for name in names):
        return "; there are tensors of a PEFT adapter: merge it (merge_and_unload), then save the model"
    if wrapped := [name for name in names if any(word in f".{name}" for word in _WRAPPERS)]:
        return (
            f"; {wrapped[0]} belongs to a wrapped model: save the model without its wrapper (model.module, _orig_mod)"
        )
    return ""


def _listed(names: list[str]) -> str:
    """Return the first name and some of the others."""
    if len(names) == 1:
        return names[0]
    others = ", ".join(names[1 : 1 + _LISTED]) + (", ..." if len(names) > 1 + _LISTED else "")
    return f"{names[0]} (and {len(names) - 1} more: {others})"


def grouped(pieces: Iterable[Piece]) -> dict[str, list[Piece]]:
    """Return the pieces of each of our tensors."""
    groups: dict[str, list[Piece]] = {}
    for piece in pieces:
        groups.setdefault(piece.ours, []).append(piece)
    return groups


def stored_together(pieces: Iterable[Piece]) -> dict[str, list[Piece]]:
    """Return the pieces of each stored tensor."""
    groups: dict[str, list[Piece]] = {}
    for piece in pieces:
        groups.setdefault(piece.stored, []).append(piece)
    return groups


def part_shape(shape: tuple[int, ...], part: Part) -> tuple[int, ...]:
    """Return the shape of ``tensor[part]`` for a tensor of ``shape``."""
    kept = [len(range(*step.indices(size))) for size, step in zip(shape, part, strict=False) if isinstance(step, slice)]
    return (*kept, *shape[len(part) :])
