"""Options shared by all bulk verbs, and the execution of their tasks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from genolm.engine.events import Finished, Listener, current_observer
from genolm.engine.executors.choose_executor import choose_executor
from genolm.engine.parts import PartsFolder
from genolm.engine.progress import as_listener
from genolm.engine.run import Options, Result, dry_run, run
from genolm.engine.summary import Summary, Tally, note_missing_results
from genolm.engine.target import check_side_files, check_target, refuse_inputs, write
from genolm.errors import ModelError
from genolm.models.checkpoints.load import load, load_for
from genolm.models.model import Model
from genolm.models.precision import parse_device, parse_dtype, same_device
from genolm.tasks.writing.provenance import provenance_files

if TYPE_CHECKING:
    import polars as pl

    from genolm.engine.executors.executor import Executor
    from genolm.engine.task import Task


@dataclass(frozen=True, slots=True)
class Bulk:
    """Options of a bulk run.

    Attributes:
        device: device to compute on, or several for worker processes: ``cuda:0,cuda:1``, ``cpu,cpu``; None: the first
            CUDA device, else the CPU.
        dtype: precision of the weights; None: the preference of model card and device.
        token_budget: tokens per batch; None: as many as fit in free memory.
        resume: continue from the finished parts of an interrupted run.
        overwrite: replace an existing output.
        shard: ``"i/n"`` or ``(i, n)``: compute only the i-th of n shares.
        progress: True for a progress bar on standard error, a receiver of events, or None.
        dry_run: write nothing; estimate the work and its duration.
        executor: ``local``, ``ray`` (a Ray cluster) or an executor.
        workers: number of workers; None: one per device, or as many as the cluster can run.
        address: address of a Ray cluster; None: start Ray on this machine.
        threads: CPU threads per worker; None: all, divided by the number of workers; with Ray 1.

    Raises:
        InputError: the options do not suit each other.
        ModelError: this machine has no such device.
    """

    device: torch.device | str | None = None
    dtype: torch.dtype | str | None = None
    token_budget: int | None = None
    resume: bool = False
    overwrite: bool = False
    shard: str | tuple[int, int] | None = None
    progress: Listener | bool | None = None
    dry_run: bool = False
    executor: Executor | str = "local"
    workers: int | None = None
    address: str | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        self.chosen_executor()

    def chosen_executor(self) -> Executor:
        """Return what computes the parts."""
        return choose_executor(self.executor, self.device, self.workers, self.address, self.threads)

    def check_output(self, out: Path) -> None:
        """Raise `RunError` if the output or its provenance file cannot be written."""
        check_target(out, overwrite=self.overwrite, resume=self.resume)
        check_side_files(out, provenance_files(out), overwrite=self.overwrite, resume=self.resume)

    def open(self, model: Model | str | Path, out: Path | None = None) -> Model:
        """Return the model, loading it if necessary.

        Args:
            model: a model, or a name or path for :func:`genolm.load`.
            out: output to check first, because loading can take minutes.

        Raises:
            ModelError: if the model is unknown, or already loaded on another device or in another precision.
            RunError: if the output exists, or its folder does not.
        """
        if out is not None:
            self.check_output(out)
        if isinstance(model, Model):
            self._check_loaded(model)
            return model
        kind = self.chosen_executor().kind
        if kind is None:
            return load(model, device=self.device, dtype=self.dtype)
        if self.dry_run:  # measured in this process
            return load(model, device=kind, dtype=self.dtype)
        return load_for(torch.device(kind), model, device=torch.device("cpu"), dtype=self.dtype)

    def run(self, task: Task[Any, Any], model: Model, out: Path | None) -> Any:
        """Run the task and return ``out`` (of a shard, its parts folder), or without ``out`` the task's table.

        A dry run returns an `Estimate`.
        """
        options = Options(self.resume, self.overwrite, self.shard, self.token_budget, self.chosen_executor())
        if self.dry_run:
            return dry_run(task, model, out, options, progress=self.progress)
        result = run(task, model, out, options, progress=self.progress)
        if out is None:
            return result.table
        return out if self.shard is None else PartsFolder.of(out).path

    def run_without_engine(self, task: Task[Any, Any], frames: Iterator[pl.DataFrame], out: Path | None) -> Any:
        """Write or collect rows that were not computed by the engine; return the same as :meth:`run`.

        Raises:
            RunError: if the output is also an input.
        """
        if out is not None:
            refuse_inputs(task, out)
            return self.concluded(write(task, frames, out, 0), None, out)
        tally = Tally(task, 0)
        table = task.collect(tally.counted(frames))
        return self.concluded(tally.summary(table), table, None)

    def concluded(self, summary: Summary, result: Any, out: Path | None) -> Any:
        """Report work that was done without the engine; return ``out`` or without one the result."""
        note_missing_results(summary)
        items = next(iter(summary.inputs.values()))
        outcome = Result(out, result if out is None else None, items, 1, 1, summary=summary)
        current_observer().also(as_listener(self.progress)).emit(Finished(outcome))
        return result if out is None else out

    def _check_loaded(self, model: Model) -> None:
        if self.dtype is not None and parse_dtype(self.dtype) != model.dtype:
            raise ModelError(f"the model is loaded in {model.dtype}; load it with dtype={self.dtype!r} instead")
        workers = self.chosen_executor().kind is not None  # which load or receive the model on their own devices
        if self.device is not None and not workers and not same_device(parse_device(self.device), model.device):
            raise ModelError(f"the model is loaded on {model.device}; load it with device={self.device!r} instead")
