"""Memory of tensors, measured."""

import weakref

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


class LivePeak(TorchDispatchMode):
    """The most bytes of tensors made within it that were alive at once; those given at the start do not count."""

    def __init__(self, *given: Tensor) -> None:
        super().__init__()
        self.live: dict[int, int] = {tensor.untyped_storage()._cdata: 0 for tensor in given}
        self.now = self.peak = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        made = func(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, tuple | list) else (made,):
            if isinstance(tensor, Tensor):
                self._add(tensor.untyped_storage())
        return made

    def _add(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self.live:
            return
        self.live[key] = storage.nbytes()
        self.now += self.live[key]
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._remove, key)

    def _remove(self, key: int) -> None:
        self.now -= self.live.pop(key, 0)
