"""Options shared by all bulk verbs, and the execution of their tasks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genolm.engine.parts import PartsFolder
from genolm.engine.progress import Progress, as_progress, report_outcome
from genolm.engine.run import Result, dry_run, run
from genolm.engine.summary import Summary, Tally, warn_missing_results
from genolm.engine.target import check_side_files, check_target, refuse_inputs, write
from genolm.errors import ModelError
from genolm.models.checkpoints.load import load
from genolm.models.model import Model
from genolm.models.precision import parse_device, parse_dtype, same_device
from genolm.tasks.writing.provenance import provenance_files

if TYPE_CHECKING:
    import polars as pl
    import torch

    from genolm.engine.task import Task


@dataclass(frozen=True, slots=True)
class Bulk:
    """Options of a bulk run.

    Attributes:
        device: device to compute on; None: the first CUDA device, else the CPU.
        dtype: precision of the weights; None: the preference of model card and device.
        token_budget: tokens per batch; None: as many as fit in free memory.
        resume: continue from the finished parts of an interrupted run.
        overwrite: replace an existing output.
        shard: ``"i/n"`` or ``(i, n)``: compute only the i-th of n shares.
        progress: True for a progress bar on standard error, a `Progress` object, or None.
        dry_run: write nothing; estimate the work and its duration.
    """

    device: torch.device | str | None = None
    dtype: torch.dtype | str | None = None
    token_budget: int | None = None
    resume: bool = False
    overwrite: bool = False
    shard: str | tuple[int, int] | None = None
    progress: Progress | bool | None = None
    dry_run: bool = False

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
        return load(model, device=self.device, dtype=self.dtype)

    def run(self, task: Task[Any, Any], model: Model, out: Path | None) -> Any:
        """Run the task and return ``out`` (of a shard, its parts folder), or without ``out`` the task's table.

        A dry run returns an `Estimate`.
        """
        settings: dict[str, Any] = {
            name: getattr(self, name) for name in ("resume", "shard", "overwrite", "token_budget", "progress")
        }
        if self.dry_run:
            return dry_run(task, model, out, **settings)
        result = run(task, model, out, **settings)
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
        warn_missing_results(summary)
        items = next(iter(summary.inputs.values()))
        report_outcome(
            as_progress(self.progress), Result(out, result if out is None else None, items, 1, 1, summary=summary)
        )
        return result if out is None else out

    def _check_loaded(self, model: Model) -> None:
        if self.dtype is not None and parse_dtype(self.dtype) != model.dtype:
            raise ModelError(f"the model is loaded in {model.dtype}; load it with dtype={self.dtype!r} instead")
        if self.device is not None and not same_device(parse_device(self.device), model.device):
            raise ModelError(f"the model is loaded on {model.device}; load it with device={self.device!r} instead")
