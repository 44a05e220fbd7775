"""Choice of the executor from the options of a run. Without workers, torch is not imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from genolm.engine.executors.in_process import InProcess
from genolm.errors import InputError
from genolm.models.precision import default_device, parse_device

if TYPE_CHECKING:
    import torch

    from genolm.engine.executors.executor import Executor


ExecutorName = Literal["local", "ray"]
"""Executors that the command line can name."""


def choose_executor(
    executor: Executor | str = "local",
    device: torch.device | str | None = None,
    workers: int | None = None,
    address: str | None = None,
    threads: int | None = None,
) -> Executor:
    """Return the executor that the options of a run ask for.

    Args:
        executor: ``local`` for this machine, ``ray`` for a Ray cluster, or an executor.
        device: device, or for worker processes several of one kind, such as ``cuda:0,cuda:1`` or ``cpu,cpu``; None
            for the first CUDA device, else the CPU.
        workers: number of workers; None for one per device (local), or as many as the cluster can run (Ray).
        address: address of a running Ray cluster; None to start one on this machine.
        threads: CPU threads per worker.

    Raises:
        InputError: an option is invalid or does not suit the executor.
        ModelError: this machine has no such device.
    """
    for name, number in (("workers", workers), ("threads", threads)):
        if number is not None and number < 1:
            raise InputError(f"{name} must be at least 1", value=number)
    if not isinstance(executor, str):
        _refuse(workers=workers, address=address, threads=threads, reason="an executor has its own settings")
        return executor
    if executor == "ray":
        from genolm.engine.executors.ray_actors import RayActors

        return RayActors(address, workers, threads, _ray_device(device))
    if executor != "local":
        raise InputError("executor must be local, ray, or an executor", value=executor)
    _refuse(address=address, reason="an address needs executor='ray'")
    devices = _devices(device, workers)
    if devices is None:
        return InProcess(threads)
    from genolm.engine.executors.device_workers import DeviceWorkers

    return DeviceWorkers(devices, threads)


def several_devices(device: torch.device | str | None) -> bool:
    """Return whether several devices are given."""
    return isinstance(device, str) and "," in device


def _refuse(*, reason: str, **options: object) -> None:
    for name, value in options.items():
        if value is not None:
            raise InputError(f"{name} cannot be used here: {reason}", value=value)


def _devices(device: torch.device | str | None, workers: int | None) -> tuple[str, ...] | None:
    """Return the device of each worker process; None for a computation in this process."""
    if workers is None and not several_devices(device):
        return None
    names = tuple(name.strip() for name in str(device or default_device()).split(","))
    kinds = {name.partition(":")[0] for name in names}
    if len(kinds) > 1:
        raise InputError("several devices must be of one kind", value=str(device))
    if workers is not None and len(names) == 1 and workers > 1:
        names = tuple(f"cuda:{number}" for number in range(workers)) if names == ("cuda",) else names * workers
    if workers is not None and len(names) != workers:
        raise InputError(f"workers must be the number of devices, {len(names)}", value=workers)
    _check(names)
    return names


def _check(names: tuple[str, ...]) -> None:
    """Raise an error for an unknown device, and for an accelerator that would get two workers."""
    import torch

    seen: set[torch.device] = set()
    for name in names:
        target = parse_device(name)
        place = torch.device(target.type, target.index or 0)
        if target.type != "cpu" and place in seen:
            raise InputError("a device can have one worker only", value=name)
        seen.add(place)


def _ray_device(device: torch.device | str | None) -> str:
    name = str(device or default_device().type)
    if name not in ("cpu", "cuda"):
        raise InputError("with Ray, device must be cpu or cuda; Ray assigns the devices", value=name)
    return name
