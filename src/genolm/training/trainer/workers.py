"""Processes of a training run and their collective operations; a single process needs no communication.

They are started by torchrun or ``accelerate launch``; accelerate detects and joins them, and selects the device.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule

from genolm.errors import GenolmError


class Workers:
    """This process among the processes of a run. Collective methods must be called by every rank.

    Args:
        trackers: experiment trackers, ``tensorboard`` or ``wandb``; rank 0 reports to them.
        folder: output folder of the trackers.

    Raises:
        GenolmError: a required package is not installed.
    """

    def __init__(self, trackers: Sequence[str] = (), folder: Path | None = None) -> None:
        accelerator = _accelerate(trackers)
        self._accelerator = accelerator(
            cpu=not torch.cuda.is_available(), log_with=list(trackers) or None, project_dir=folder
        )
        device = self._accelerator.device
        self.device: torch.device = torch.device("cpu") if device.type == "cpu" else device
        self.rank: int = self._accelerator.process_index
        self.world: int = self._accelerator.num_processes
        if dist.is_initialized():
            # A process group that still exists when the interpreter exits aborts the process.
            atexit.register(_leave_group)

    @property
    def first(self) -> bool:
        """Whether this is rank 0, which writes the files."""
        return self.rank == 0

    def all_reduce_sum(self, values: Tensor) -> Tensor:
        """Return the sum over all ranks (collective)."""
        if self.world > 1:
            dist.all_reduce(values)
        return values

    def all_reduce_max(self, value: int) -> int:
        """Return the maximum over all ranks (collective)."""
        if self.world == 1:
            return value
        largest = torch.tensor(value, device=self.device)
        dist.all_reduce(largest, dist.ReduceOp.MAX)
        return int(largest.item())

    def any_rank(self, flag: bool) -> bool:
        """Return whether the flag is set on any rank (collective)."""
        return bool(self.all_reduce_sum(torch.tensor(float(flag), device=self.device)).item())

    def all_ranks(self, flag: bool) -> bool:
        """Return whether the flag is set on every rank (collective)."""
        return not self.any_rank(not flag)

    def all_gather(self, value: Any) -> list[Any]:
        """Return the values of all ranks in order (collective); for small objects."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        dist.all_gather_object(values, value)
        return values

    def on_first_rank(self, work: Callable[[], object]) -> None:
        """Run `work` on rank 0; other ranks wait. Errors are raised on every rank (collective)."""
        error: Exception | None = None
        if self.first:
            try:
                work()
            except Exception as raised:  # any error must reach the other ranks, which would wait forever otherwise
                error = raised
        reported = self.all_gather(GenolmError(str(error)) if error and not isinstance(error, GenolmError) else error)[
            0
        ]
        if error is not None:
            raise error
        if reported is not None:
            raise reported

    def groups(self, size: int) -> list[dist.ProcessGroup]:
        """Return process groups of ``size`` neighbouring ranks (collective)."""
        ranks = range(self.world)
        return [dist.new_group(list(ranks[i : i + size])) for i in range(0, self.world, size)]

    def replicated(self, network: nn.Module) -> nn.Module:
        """Return the network wrapped for averaging its gradients over the ranks (DDP)."""
        return self._accelerator.prepare_model(network) if self.world > 1 else network

    def start_trackers(self, name: str, settings: dict[str, Any]) -> None:
        """Start the trackers for a run."""
        if self._accelerator.log_with:
            self._accelerator.init_trackers(name, config=settings)

    def track(self, values: dict[str, float], step: int) -> None:
        """Report values to the trackers."""
        if self._accelerator.log_with:
            self._accelerator.log(values, step=step)

    def finish_trackers(self) -> None:
        """Close the trackers; the process group remains."""
        for tracker in self._accelerator.trackers if self._accelerator.log_with else ():
            tracker.finish()


def _leave_group() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


def accumulating(module: nn.Module, last: bool) -> AbstractContextManager[Any]:
    """Return a context in which gradients are accumulated; ranks exchange them in the ``last`` micro-batch only."""
    if isinstance(module, FSDPModule):
        module.set_requires_gradient_sync(last)
        return nullcontext()
    if last or not isinstance(module, nn.parallel.DistributedDataParallel):
        return nullcontext()
    context: AbstractContextManager[Any] = module.no_sync()
    return context


def _accelerate(trackers: Sequence[str]) -> Any:
    for tracker in trackers:
        if find_spec(tracker) is None:
            raise GenolmError(
                f"the recipe's tracker requires the package {tracker}: pip install {tracker}", code="missing-package"
            )
    try:
        from accelerate import Accelerator
    except ModuleNotFoundError as error:
        raise GenolmError(
            f"training needs {error.name}, which is not installed: pip install 'genolm[train]'", code="missing-package"
        ) from None
    return Accelerator
