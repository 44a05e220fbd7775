"""Before and early in a run: will it fit into memory, and on the disk?"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from genolm.engine.free_memory import available, estimate, format_bytes
from genolm.errors import ResourceError
from genolm.models.networks.encoder_config import EncoderConfig

if TYPE_CHECKING:
    from typing import Any

    from genolm.engine.progress import Progress
    from genolm.engine.task import Task
    from genolm.models.model import Model

CPU_BUDGET = 16_384  # tokens; larger batches are not faster on a CPU
DEVICE_BUDGET = 131_072
_SMALLEST = 1024  # below this the estimate's fixed part dominates: try rather than refuse
_LEAST_DISK = 2**20


def fitting_budget(task: Task[Any, Any], model: Model, asked: int | None, progress: Progress) -> int:
    """Tokens of a batch: what was asked for or the device's default, halved until the estimate fits the free memory."""
    budget = asked or (CPU_BUDGET if str(model.device).startswith("cpu") else DEVICE_BUDGET)
    fitting = budget
    while fitting > _SMALLEST and not fits(task, model, fitting):
        fitting //= 2
    if fitting < budget:
        progress.note(f"little free memory: batches of {fitting:,} instead of {budget:,} tokens")
    return fitting


def fits(task: Task[Any, Any], model: Model, tokens: int) -> bool:
    """Whether a batch of so many tokens fits by estimate; True where it cannot be told what is free."""
    need, free = need_and_free(task, model, tokens)
    return free is None or need <= free


def need_and_free(task: Task[Any, Any], model: Model, tokens: int) -> tuple[int, int | None]:
    """Estimated bytes of a batch, and free bytes of the device; None where these cannot be told."""
    logits = getattr(task, "logits", True)
    return estimate(model.config, tokens, model.dtype, logits=logits), available(model.device)


def tokens_at_once(model: Model, tokens: int) -> int:
    """Tokens of a window that go through the network together: with a recurrent memory those of one segment."""
    memory = model.config.memory if isinstance(model.config, EncoderConfig) else None
    return tokens if memory is None else min(tokens, memory.segment)


def check_disk(folder: Path, part_bytes: int = 0, parts_left: int = 0) -> None:
    """Refuses when the parts still to come, each as large as the one just written, do not fit on the disk.

    Raises:
        ResourceError: with both numbers.
    """
    free = shutil.disk_usage(folder).free
    need = max(part_bytes * parts_left, _LEAST_DISK if parts_left else 0)
    if need > free:
        raise ResourceError(
            f"{folder}: the parts to come need about {format_bytes(need)} of disk and {format_bytes(free)} are free; "
            "what was finished is kept: free space and run again with --resume"
        )
