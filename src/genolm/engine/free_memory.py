"""Memory of a batch: estimated need, free memory, and recognition of out-of-memory errors."""

from __future__ import annotations

import math
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from genolm.models.footprint import activation_bytes

if TYPE_CHECKING:
    import torch

    from genolm.models.model import Model

_CPU_MESSAGE = re.compile(
    r"not enough memory|can't allocate memory|cannot allocate memory|out of memory", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """Estimated memory of a computation, beside the free memory.

    Attributes:
        bytes: estimated peak memory beyond the weights, in bytes.
        free: free memory of the device in bytes; None if it is unknown.
    """

    bytes: int
    free: int | None

    @property
    def fits(self) -> bool:
        """Whether the memory suffices; True if the free memory is unknown."""
        return self.free is None or self.bytes <= self.free


def request_memory(model: Model, bases: int, *, new_bases: int = 0, logits: bool = True) -> MemoryNeed:
    """Estimate the memory of a single request, so that it can be refused before it is computed.

    Args:
        model: loaded model.
        bases: bases of the longest window that passes the network at once: of the sequence, or of the prompt.
        new_bases: bases to generate; the key-value cache of prompt and new bases is added.
        logits: whether the logits of all tokens are held, as for likelihoods; not for embeddings.
    """
    tokens, new_tokens = (math.ceil(count / model.tokenizer.bases_per_token) for count in (bases, new_bases))
    need = batch_memory(model, tokens_at_once(model, tokens), logits=logits)
    cached = model.config.cache_bytes(tokens + new_tokens, model.dtype.itemsize) if new_bases else 0
    return MemoryNeed(need.bytes + cached, need.free)


def batch_memory(model: Model, tokens: int, *, logits: bool = True) -> MemoryNeed:
    """Estimate the memory of a batch of ``tokens`` tokens, padding included; proportional to their number."""
    need = activation_bytes(model.config, tokens, model.dtype.itemsize, logits=logits)
    return MemoryNeed(need, available(model.device))


def tokens_at_once(model: Model, tokens: int) -> int:
    """Return the tokens of a window that pass the network together; with recurrent memory, those of one segment."""
    return model.config.tokens_at_once(tokens)


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
