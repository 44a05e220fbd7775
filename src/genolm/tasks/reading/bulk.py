"""The arguments that every bulk verb shares: which model, on what, and how the run goes."""

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
from genolm.tasks.writing.provenance import records_beside

if TYPE_CHECKING:
    import polars as pl
    import torch

    from genolm.engine.task import Task


@dataclass(frozen=True, slots=True)
class Bulk:
    """How a verb runs.

    Attributes:
        device: where to compute; None for the best there is.
        dtype: precision of the weights; None for what card and device prefer.
        token_budget: tokens of a batch; None for what fits into free memory.
        resume: go on from the finished parts of a killed run.
        overwrite: replace an existing output.
        shard: ``"i/n"`` or ``(i, n)``: do the i-th of n shares only.
        progress: True for a bar on standard error, an object of one's own, or None.
        dry_run: write nothing; estimate instead how much there is to do and how long it takes.
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
        """Raise `RunError`, before anything is computed, where the output or the record beside it cannot be written."""
        check_target(out, overwrite=self.overwrite, resume=self.resume)
        check_side_files(out, records_beside(out), overwrite=self.overwrite, resume=self.resume)

    def open(self, model: Model | str | Path, out: Path | None = None) -> Model:
        """The model, loaded unless it is already.

        Args:
            model: a model, or what :func:`genolm.load` takes.
            out: the output, looked at first: loading can take minutes.

        Raises:
            ModelError: no such model, or one that is already loaded on another device or in another precision.
            RunError: the output exists, or its folder does not.
        """
        if out is not None:
            self.check_output(out)
        if not isinstance(model, Model):
            return load(model, device=self.device, dtype=self.dtype)
        self._check_loaded(model)
        return model

    def run(self, task: Task[Any, Any], model: Model, out: Path | None) -> Any:
        """Run the task: return ``out`` when there is one, its folder of parts after a shard, else the task's table.

        Of a dry run, return an `Estimate`.
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
        """What :meth:`run` gives, where something else than the engine computes the rows.

        Raises:
            RunError: the output is an input too.
        """
        if out is not None:
            refuse_inputs(task, out)
            return self.concluded(write(task, frames, out, 0), None, out)
        tally = Tally(task, 0)
        table = task.collect(tally.counted(frames))
        return self.concluded(tally.summary(table), table, None)

    def concluded(self, summary: Summary, made: Any, out: Path | None) -> Any:
        """Report work that was done without the engine; return ``out`` if there is one, else what was made."""
        warn_missing_results(summary)
        items = next(iter(summary.inputs.values()))
        report_outcome(
            as_progress(self.progress), Result(out, made if out is None else None, items, 1, 1, summary=summary)
        )
        return made if out is None else out

    def _check_loaded(self, model: Model) -> None:
        if self.dtype is not None and parse_dtype(self.dtype) != model.dtype:
            raise ModelError(f"the model is loaded in {model.dtype}; load it with dtype={self.dtype!r} instead")
        if self.device is not None and not same_device(parse_device(self.device), model.device):
            raise ModelError(f"the model is loaded on {model.device}; load it with device={self.device!r} instead")
