"""Checks that a run fits in memory and on disk."""

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
_SMALLEST = 1024  # below this the constant part of the estimate dominates: try instead of refusing
_LEAST_DISK = 2**20


def fitting_budget(task: Task[Any, Any], model: Model, requested: int | None, progress: Progress) -> int:
    """Return the tokens of a batch: as requested or the device's default, halved until the estimate fits."""
    budget = requested or (CPU_BUDGET if str(model.device).startswith("cpu") else DEVICE_BUDGET)
    fitting = budget
    while fitting > _SMALLEST and not fits(task, model, fitting):
        fitting //= 2
    if fitting < budget:
        progress.note(f"little free memory: batches of {fitting:,} instead of {budget:,} tokens")
    return fitting


def fits(task: Task[Any, Any], model: Model, tokens: int) -> bool:
    """Return whether a batch fits by estimate; True if the free memory is unknown."""
    need, free = need_and_free(task, model, tokens)
    return free is None or need <= free


def need_and_free(task: Task[Any, Any], model: Model, tokens: int) -> tuple[int, int | None]:
    """Return the estimated memory of a batch and the free memory in bytes; None if the latter is unknown."""
    logits = getattr(task, "logits", True)
    return estimate(model.config, tokens, model.dtype, logits=logits), available(model.device)


def tokens_at_once(model: Model, tokens: int) -> int:
    """Return the tokens of a window that pass the network together; with recurrent memory, those of one segment."""
    memory = model.config.memory if isinstance(model.config, EncoderConfig) else None
    return tokens if memory is None else min(tokens, memory.segment)


def check_disk(folder: Path, part_bytes: int = 0, parts_left: int = 0) -> None:
    """Raise an error if the remaining parts, each as large as the last one, do not fit on the disk.

    Raises:
        ResourceError: not enough space is free.
    """
    free = shutil.disk_usage(folder).free
    need = max(part_bytes * parts_left, _LEAST_DISK if parts_left else 0)
    if need > free:
        needed, left = format_bytes(need), format_bytes(free)
        raise ResourceError(
            f"{folder}: the remaining parts need about {needed} of disk space, but {left} are free; "
            "finished parts are kept: free space and resume with --resume"
        )
