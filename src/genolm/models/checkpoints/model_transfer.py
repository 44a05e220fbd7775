"""Transfer of models to other processes: loaded ones by what `load` needs, models made in memory by value."""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from genolm.errors import ModelError
from genolm.models.checkpoints.load import load
from genolm.models.model import Model


@dataclass(frozen=True, slots=True)
class Loadable:
    """A model that the other process loads.

    Attributes:
        name: argument of `load`.
        dtype: precision of the weights.
        fingerprint: fingerprint of the model.
    """

    name: str
    dtype: torch.dtype
    fingerprint: str

    def open(self, device: str) -> Model:
        """Load the model.

        Raises:
            ModelError: it cannot be loaded, or is not the same model.
        """
        model = load(self.name, device=device, dtype=self.dtype)
        if model.fingerprint != self.fingerprint:
            raise ModelError(f"the weights of {self.name} differ from those of the run")
        return model


@dataclass(frozen=True, slots=True)
class _Values:
    """The bytes of a tensor."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    content: bytes

    @classmethod
    def of(cls, tensor: Tensor) -> _Values:
        flat = tensor.detach().cpu().contiguous().flatten()
        return cls(tensor.dtype, tuple(tensor.shape), flat.view(torch.uint8).numpy().tobytes())

    def on(self, device: str) -> Tensor:
        buffer = torch.frombuffer(bytearray(self.content), dtype=torch.uint8) if self.content else torch.empty(0)
        return buffer.view(self.dtype).view(self.shape).to(device)


def pack_model(model: Model) -> bytes:
    """Return a model, or a group of models, as bytes for :func:`unpack_model`."""
    buffer = io.BytesIO()
    _Packer(buffer, protocol=5).dump(model)
    return buffer.getvalue()


def unpack_model(packed: bytes, device: str) -> Model:
    """Return the model on a device of this machine; only for bytes of a trusted process.

    Raises:
        ModelError: a model cannot be loaded here, or is another one here.
        ResourceError: the weights do not fit in memory.
    """
    return _Unpacker(packed, device).load()


class _Packer(pickle.Pickler):
    """Pickler that replaces loaded models by what `load` needs, and takes tensors from their device."""

    def persistent_id(self, value: Any) -> Loadable | _Values | None:
        if isinstance(value, Model) and value.origin is not None:
            return Loadable(value.origin, value.dtype, value.fingerprint)
        return _Values.of(value) if type(value) is Tensor else None

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, MappingProxyType):
            return MappingProxyType, (dict(value),)
        return NotImplemented


class _Unpacker(pickle.Unpickler):
    """Unpickler that puts tensors on a device."""

    def __init__(self, packed: bytes, device: str) -> None:
        super().__init__(io.BytesIO(packed))
        self._device = device

    def persistent_load(self, value: Loadable | _Values) -> Model | Tensor:
        return value.open(self._device) if isinstance(value, Loadable) else value.on(self._device)
