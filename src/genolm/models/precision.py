"""Devices and precisions: names and defaults. Torch is imported only when a device or precision is looked up."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Union

from genolm.errors import ModelError
from genolm.parameters import Shown

if TYPE_CHECKING:
    import torch

    from genolm.models.card import Card

Device = Annotated[Union["torch.device", str], Shown("NAME")]
Precision = Literal["float32", "bfloat16", "float16"]

_NAMES = {
    "float32": "float32",
    "fp32": "float32",
    "bfloat16": "bfloat16",
    "bf16": "bfloat16",
    "float16": "float16",
    "fp16": "float16",
    "float64": "float64",
}
# Below this many parameters the weights do not limit the speed, and fp32 costs nothing.
_SMALL = 100_000_000


def parse_device(device: torch.device | str) -> torch.device:
    """Return the device called ``cpu``, ``cuda``, ``cuda:1``, … or ``mps``.

    Raises:
        ModelError: the name is invalid, or this machine has no such device.
    """
    import torch

    try:
        target = torch.device(device)
    except (RuntimeError, TypeError):
        raise ModelError(f"invalid device {device!r}: expected cpu, cuda, cuda:1 and so on, or mps") from None
    present = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if (target.index or 0) >= {"cpu": 1, **present}.get(target.type, 0):
        here = ["cpu", *(f"{name}:{number}" for name, count in present.items() for number in range(count))]
        raise ModelError(
            f"device {target} is not available to torch on this machine; available: {', '.join(here)}",
            code="device-unavailable",
        )
    return target


def same_device(requested: torch.device, actual: torch.device) -> bool:
    """Return whether ``actual`` is the requested device; ``cuda`` without a number matches any of them."""
    return requested.type == actual.type and (requested.index is None or requested.index == (actual.index or 0))


def parse_dtype(dtype: torch.dtype | str) -> torch.dtype:
    """Return the dtype called ``float32``, ``bfloat16``, ``float16``, ``float64`` or fp32, bf16, fp16.

    Raises:
        ModelError: the name is invalid, or weights cannot have this type.
    """
    import torch

    name = _NAMES.get(str(dtype).removeprefix("torch.").lower())
    if name is None:
        raise ModelError(f"invalid precision {dtype!r}: expected one of {', '.join(_NAMES)}")
    found: torch.dtype = getattr(torch, name)
    return found


def default_dtype(card: Card, parameters: int, device: torch.device) -> torch.dtype:
    """Return the default precision of a model with ``parameters`` weights.

    On an accelerator: the precision of the card. On a CPU: fp32, or bf16 if the processor multiplies it natively
    (avx512_bf16 or amx_bf16), and the card names it as ``cpu_precision``, or the model has at least 100 million
    parameters and bfloat16 in its card. It depends on card and processor only, never on a timing.
    """
    import torch

    trained = parse_dtype(card.precision)
    if device.type != "cpu":
        return trained
    preferred = card.cpu_precision == "bfloat16" or (trained is torch.bfloat16 and parameters >= _SMALL)
    if preferred and native_bf16():
        return torch.bfloat16
    return torch.float64 if trained is torch.float64 else torch.float32


@functools.cache
def native_bf16() -> bool:
    """Return whether this CPU has bf16 matrix instructions."""
    listing = Path("/proc/cpuinfo")
    flags = set(listing.read_text().split()) if listing.is_file() else set()
    return bool(flags & {"avx512_bf16", "amx_bf16", "bf16"})


def default_device() -> torch.device:
    """Return CUDA if available, else the CPU."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
