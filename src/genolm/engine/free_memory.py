"""How much memory a batch needs, how much there is, and how running out of it looks."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from genolm.models.footprint import activation_bytes

if TYPE_CHECKING:
    import torch

    from genolm.models.networks.network_config import NetworkConfig

_CPU_MESSAGE = re.compile(
    r"not enough memory|can't allocate memory|cannot allocate memory|out of memory", re.IGNORECASE
)


def estimate(config: NetworkConfig, tokens: int, dtype: torch.dtype, *, logits: bool = True) -> int:
    """Bytes that a batch of ``tokens`` tokens (pads included) needs beyond the weights, at its peak; linear in them.

    Args:
        config: the network.
        tokens: of the batch.
        dtype: of the activations.
        logits: whether logits of every token are made.
    """
    return activation_bytes(config, tokens, dtype.itemsize, logits=logits)


def available(device: torch.device | str) -> int | None:
    """Bytes of memory that are free for a batch on the device; None where that cannot be told."""
    kind = str(device).split(":")[0]
    if kind == "cpu":
        limits = [amount for amount in (_machine(), _group()) if amount is not None]
        return min(limits, default=None)
    if kind == "cuda":
        import torch

        reserved = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + reserved
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out: on a GPU, in torch's CPU allocator, or in Python itself."""
    if isinstance(error, MemoryError):
        return True
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and bool(_CPU_MESSAGE.search(str(error)))


def format_bytes(size: float) -> str:
    """Bytes for people, in decimal units: ``1.5 GB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def _machine() -> int | None:
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:  # no Linux
        return None
    match = re.search(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE)
    return int(match[1]) * 1024 if match else None


def _group(folder: Path = Path("/sys/fs/cgroup")) -> int | None:
    """What a container's limit leaves (control groups, version 2); pages of cached files count as free."""
    try:
        limit = (folder / "memory.max").read_text(encoding="ascii").strip()
        used = int((folder / "memory.current").read_text(encoding="ascii"))
        cached = re.search(r"^inactive_file (\d+)", (folder / "memory.stat").read_text(encoding="ascii"), re.MULTILINE)
        return None if limit == "max" else max(0, int(limit) - used + (int(cached[1]) if cached else 0))
    except (OSError, ValueError):  # no such group, or another version of them
        return None
