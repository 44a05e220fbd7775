"""Computing settings of a run: what determines the last digits of its numbers, besides model, task and batches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from genolm.errors import RunError
from genolm.models.kernels.kernels import Kernels

if TYPE_CHECKING:
    from torch import device as Device

_NAMES = {
    "device": "kind of device",
    "threads": "CPU threads per worker",
    "matmul": "precision of fp32 products",
    "processor": "processor",
    "torch_version": "version of torch",
}
Choices = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ComputeSettings:
    """Settings that are fixed when a run is planned, and used by every shard, resumed run and worker.

    All of them change results, by rounding. The number of threads does because torch divides fp32 products and sums
    among threads: with 1 to 8 threads, logits of genolm-nano differed by up to 1e-5 in fp32 (not in bf16). The
    precision of the weights belongs to the model, and is part of the fingerprint.

    Attributes:
        device: kind of device: ``cpu``, ``cuda`` or ``mps``.
        threads: CPU threads of each worker.
        matmul: precision of fp32 products (:func:`torch.get_float32_matmul_precision`).
        processor: what torch selects kernels by: instruction set of a CPU, or compute capability of a GPU.
        torch_version: version of torch.
        kernels: selected kernels, as in :class:`genolm.models.kernels.kernels.Kernels`. Shards that were planned on
            separate machines may differ in them, and can still be merged.
    """

    device: str
    threads: int
    matmul: str
    processor: str
    torch_version: str
    kernels: Choices = ()

    @classmethod
    def here(cls, device: Device | str, threads: int | None = None) -> ComputeSettings:
        """Return the settings of this process on a device.

        Args:
            device: the device.
            threads: CPU threads; None for the present number of this process.
        """
        import torch

        number = threads or torch.get_num_threads()
        processor, version = machine(device)
        return cls(torch.device(device).type, number, torch.get_float32_matmul_precision(), processor, version)

    def following(self, planned: ComputeSettings | None) -> ComputeSettings:
        """Return the settings with all that can be set as planned: threads, precision of products and kernels."""
        if planned is None:
            return self
        return replace(self, threads=planned.threads, matmul=planned.matmul, kernels=planned.kernels)

    def changes(self, now: ComputeSettings) -> list[str]:
        """Describe the differences from these planned settings; empty if they are equal."""
        pairs = {name: (getattr(self, name), getattr(now, name)) for name in _NAMES}
        return [f"{_NAMES[name]} (was {was}, now {new})" for name, (was, new) in pairs.items() if was != new]

    def check(self, device: Device | str, worker: str) -> None:
        """Raise `RunError` if a worker on ``device`` cannot compute with these settings."""
        if differences := self.changes(ComputeSettings.here(device).following(self)):
            raise RunError(f"worker {worker} differs from the plan of the run: {'; '.join(differences)}")

    @contextmanager
    def imposed(self) -> Iterator[None]:
        """Let this thread compute with the planned settings; restore the previous ones afterwards."""
        import torch

        before = torch.get_num_threads(), torch.get_float32_matmul_precision()
        _set(self.threads, self.matmul)
        try:
            with Kernels(self.kernels).imposed():
                yield
        finally:
            _set(*before)

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain JSON values."""
        return {**asdict(self), "kernels": dict(self.kernels)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> ComputeSettings:
        """Return the settings that :meth:`to_json` wrote."""
        return cls(**{**values, "kernels": tuple(sorted(values.get("kernels", {}).items()))})


def machine(device: Device | str) -> tuple[str, str]:
    """Return what torch selects kernels by on a device of this machine, and the version of torch."""
    import torch

    from genolm.models.precision import native_bf16

    kind = torch.device(device).type
    if kind == "cuda":
        processor = "compute capability {}.{}".format(*torch.cuda.get_device_capability(device))
    elif kind == "cpu":
        processor = torch.backends.cpu.get_cpu_capability() + (" with bf16" if native_bf16() else "")
    else:
        processor = kind
    return processor, str(torch.__version__)


def _set(threads: int, matmul: str) -> None:
    import torch

    if threads != torch.get_num_threads():
        torch.set_num_threads(threads)
    if matmul != torch.get_float32_matmul_precision():
        torch.set_float32_matmul_precision(matmul)
