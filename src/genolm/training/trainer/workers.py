"""The processes of a training run: which one this is, and what they tell each other. One process is the plain case.

torchrun or ``accelerate launch`` starts them; accelerate finds them, joins them and chooses the device.
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
    """The processes of this run.

    Args:
        trackers: ``tensorboard`` or ``wandb``, told by the first process.
        folder: where trackers write.

    Raises:
        GenolmError: a package that is needed is not installed.
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
            # Threads of a group that is still joined when the interpreter ends abort the process.
            atexit.register(_leave_group)

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def all_reduce_sum(self, values: Tensor) -> Tensor:
        """The sum over all processes, on each of them."""
        if self.world > 1:
            dist.all_reduce(values)
        return values

    def all_reduce_max(self, value: int) -> int:
        """The largest value of all processes."""
        if self.world == 1:
            return value
        largest = torch.tensor(value, device=self.device)
        dist.all_reduce(largest, dist.ReduceOp.MAX)
        return int(largest.item())

    def any_rank(self, flag: bool) -> bool:
        """Whether any process says so."""
        return bool(self.all_reduce_sum(torch.tensor(float(flag), device=self.device)).item())

    def all_ranks(self, flag: bool) -> bool:
        """Whether every process says so."""
        return not self.any_rank(not flag)

    def all_gather(self, value: Any) -> list[Any]:
        """The values of all processes in the order of their ranks; for small ones."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        dist.all_gather_object(values, value)
        return values

    def on_first_rank(self, work: Callable[[], object]) -> None:
        """Let the first process do something while the others wait; its error is raised by all."""
        error: Exception | None = None
        if self.first:
            try:
                work()
            except Exception as raised:  # whatever it is, the others must not wait for ever
                error = raised
        reported = self.all_gather(None if error is None else (getattr(error, "exit_code", 1), str(error)))[0]
        if error is not None:
            raise error
        if reported is not None:
            raise _remote_error(*reported)

    def groups(self, size: int) -> list[dist.ProcessGroup]:
        """Neighbours in groups of so many; made by all processes alike."""
        ranks = range(self.world)
        return [dist.new_group(list(ranks[i : i + size])) for i in range(0, self.world, size)]

    def replicated(self, network: nn.Module) -> nn.Module:
        """The network with gradients averaged over the processes (DDP)."""
        return self._accelerator.prepare_model(network) if self.world > 1 else network

    def start_trackers(self, name: str, settings: dict[str, Any]) -> None:
        """Open the trackers for a run."""
        if self._accelerator.log_with:
            self._accelerator.init_trackers(name, config=settings)

    def track(self, values: dict[str, float], step: int) -> None:
        """Tell the trackers."""
        if self._accelerator.log_with:
            self._accelerator.log(values, step=step)

    def finish_trackers(self) -> None:
        """Close the trackers; the processes stay joined."""
        for tracker in self._accelerator.trackers if self._accelerator.log_with else ():
            tracker.finish()


def _leave_group() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


def accumulating(module: nn.Module, last: bool) -> AbstractContextManager[Any]:
    """Within it gradients of one micro-batch are added up; processes exchange them at the last one only."""
    if isinstance(module, FSDPModule):
        module.set_requires_gradient_sync(last)
        return nullcontext()
    if last or not isinstance(module, nn.parallel.DistributedDataParallel):
        return nullcontext()
    waiting: AbstractContextManager[Any] = module.no_sync()
    return waiting


def _accelerate(trackers: Sequence[str]) -> Any:
    for tracker in trackers:
        if find_spec(tracker) is None:
            raise GenolmError(f"the recipe's tracker needs the package {tracker}: pip install {tracker}")
    try:
        from accelerate import Accelerator
    except ModuleNotFoundError as error:
        raise GenolmError(f"training needs {error.name}, which is not installed: pip install 'genolm[train]'") from None
    return Accelerator


def _remote_error(exit_code: int, message: str) -> GenolmError:
    """An error of another process, with its exit code."""
    error = GenolmError(message)
    error.exit_code = exit_code
    return error
