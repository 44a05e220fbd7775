"""Which precision a model computes in when nobody says."""

from __future__ import annotations

import functools
from pathlib import Path

import torch

from genolm.errors import ModelError

_NAMES = {
    "float32": torch.float32,
    "fp32": torch.float32,
    "bfloat16": torch.bfloat16,
    "bf16": torch.bfloat16,
    "float16": torch.float16,
    "fp16": torch.float16,
    "float64": torch.float64,
}
# Below this many parameters the weights do not bound the speed, and fp32 costs nothing worth a less exact number.
_SMALL = 100_000_000


def parse_device(device: torch.device | str) -> torch.device:
    """The device of that name, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``, when this machine has it.

    Raises:
        ModelError: no such name, or no such device here.
    """
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError):
        raise ModelError(f"no device named {device!r}: known are cpu, cuda, cuda:1 and so on, and mps") from None
    present = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if (found.index or 0) >= {"cpu": 1, **present}.get(found.type, 0):
        here = ["cpu", *(f"{name}:{number}" for name, count in present.items() for number in range(count))]
        raise ModelError(f"no device {found} that torch could use in this machine: there is {', '.join(here)}")
    return found


def same_device(asked: torch.device, found: torch.device) -> bool:
    """Return whether ``found`` is the device that was asked for; ``cuda`` without a number is any of them."""
    return asked.type == found.type and (asked.index is None or asked.index == (found.index or 0))


def parse_dtype(dtype: torch.dtype | str) -> torch.dtype:
    """The dtype of that name: ``float32``, ``bfloat16``, ``float16``, ``float64`` or fp32, bf16, fp16.

    Raises:
        ModelError: no such name, or a type that weights cannot have.
    """
    try:
        return _NAMES[str(dtype).removeprefix("torch.").lower()]
    except KeyError:
        raise ModelError(f"no precision named {dtype!r}: known are {', '.join(_NAMES)}") from None


def default_dtype(precision: str, parameters: int, device: torch.device) -> torch.dtype:
    """The precision for a model of ``parameters`` weights that was trained to compute in ``precision``.

    On an accelerator the card's precision. On a CPU fp32, except that a model of 100 million parameters or more whose
    card says bfloat16 runs in bf16 where the processor multiplies it natively (avx512_bf16 or amx_bf16).
    """
    wanted = parse_dtype(precision)
    if device.type != "cpu":
        return wanted
    if wanted is torch.bfloat16 and parameters >= _SMALL and native_bf16():
        return torch.bfloat16
    return torch.float64 if wanted is torch.float64 else torch.float32


@functools.cache
def native_bf16() -> bool:
    """Whether this CPU has bf16 matrix instructions."""
    listing = Path("/proc/cpuinfo")
    flags = set(listing.read_text().split()) if listing.is_file() else set()
    return bool(flags & {"avx512_bf16", "amx_bf16", "bf16"})


def default_device() -> torch.device:
    """CUDA where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
