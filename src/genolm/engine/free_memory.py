"""Memory of a batch: estimated need, free memory, and recognition of out-of-memory errors."""

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
    """Return the peak memory of a batch beyond the weights, in bytes; it is proportional to the number of tokens.

    Args:
        config: config of the network.
        tokens: tokens of the batch, padding included.
        dtype: dtype of the activations.
        logits: whether the logits of all tokens are held.
    """
    return activation_bytes(config, tokens, dtype.itemsize, logits=logits)


def available(device: torch.device | str) -> int | None:
    """Return the free memory of the device in bytes; None if it is unknown."""
    kind = str(device).split(":")[0]
    if kind == "cpu":
        limits = [amount for amount in (_machine_memory(), _cgroup_memory()) if amount is not None]
        return min(limits, default=None)
    if kind == "cuda":
        import torch

        reserved = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + reserved
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that memory ran out: on a GPU, in torch's CPU allocator, or in Python."""
    if isinstance(error, MemoryError):
        return True
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and bool(_CPU_MESSAGE.search(str(error)))


def format_bytes(size: float) -> str:
    """Return a readable size in decimal units, such as ``1.5 GB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def _machine_memory() -> int | None:
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:  # not Linux
        return None
    match = re.search(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE)
    return int(match[1]) * 1024 if match else None


def _cgroup_memory(folder: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Return the memory left within the limit of a control group (version 2); cached files count as free."""
    try:
        limit = (folder / "memory.max").read_text(encoding="ascii").strip()
        used = int((folder / "memory.current").read_text(encoding="ascii"))
        cached = re.search(r"^inactive_file (\d+)", (folder / "memory.stat").read_text(encoding="ascii"), re.MULTILINE)
        return None if limit == "max" else max(0, int(limit) - used + (int(cached[1]) if cached else 0))
    except (OSError, ValueError):  # no such group, or another version
        return None
