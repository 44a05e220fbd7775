"""Computing settings of a run: what determines the last digits of its numbers, besides model, task and batches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from genolm.errors import RunError

if TYPE_CHECKING:
    from torch import device as Device

_NAMES = {
    "device": "kind of device",
    "threads": "CPU threads per worker",
    "matmul": "precision of fp32 products",
    "processor": "processor",
    "torch_version": "version of torch",
}


@dataclass(frozen=True, slots=True)
class ComputeSettings:
    """Settings that are fixed when a run is planned, and used by every shard, resumed run and worker.

    All of them change results. The number of threads does because torch divides fp32 products and sums among threads:
    with 1 to 8 threads, logits of genolm-nano differed by up to 1e-5 in fp32 (not in bf16). The precision of the
    weights belongs to the model, and is part of the fingerprint.

    Attributes:
        device: kind of device: ``cpu``, ``cuda`` or ``mps``.
        threads: CPU threads of each worker.
        matmul: precision of fp32 products (:func:`torch.get_float32_matmul_precision`).
        processor: what torch selects kernels by: instruction set of a CPU, or compute capability of a GPU.
        torch_version: version of torch.
    """

    device: str
    threads: int
    matmul: str
    processor: str
    torch_version: str

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
        """Return the settings with everything that can be set as planned: threads and precision of products."""
        return self if planned is None else replace(self, threads=planned.threads, matmul=planned.matmul)

    def changes(self, now: ComputeSettings) -> list[str]:
        """Describe the differences from these planned settings; empty if they are equal."""
        pairs = {field.name: (getattr(self, field.name), getattr(now, field.name)) for field in fields(self)}
        return [f"{_NAMES[name]} (was {was}, now {new})" for name, (was, new) in pairs.items() if was != new]

    def check(self, device: Device | str, worker: str) -> None:
        """Raise `RunError` if a worker on ``device`` cannot compute with these settings."""
        if differences := self.changes(ComputeSettings.here(device).following(self)):
            raise RunError(f"worker {worker} differs from the plan of the run: {'; '.join(differences)}")

    @contextmanager
    def imposed(self) -> Iterator[None]:
        """Let this thread compute with the planned threads and precision of products; restore both afterwards."""
        import torch

        before = torch.get_num_threads(), torch.get_float32_matmul_precision()
        _set(self.threads, self.matmul)
        try:
            yield
        finally:
            _set(*before)

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain JSON values."""
        return asdict(self)


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
