"""Bulk runs: items are divided into parts, computed, and assembled into an output."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from genolm.engine.estimation import estimate_run
from genolm.engine.forward import Batcher
from genolm.engine.interrupt import stoppable
from genolm.engine.merge import merge
from genolm.engine.plan import Shard, make_plan
from genolm.engine.progress import Progress, as_progress, report_outcome, reporting
from genolm.engine.result import Estimate, Result
from genolm.engine.resumable import RunRequest, run_on_disk
from genolm.engine.summary import Tally, warn_missing_results
from genolm.engine.work import Work
from genolm.errors import RunError
from genolm.remedies import Remedy

if TYPE_CHECKING:
    from genolm.engine.task import Task
    from genolm.models.model import Model

__all__ = ["Estimate", "Result", "dry_run", "merge", "run"]


def run(
    task: Task[Any, Any],
    model: Model,
    out: Path | str | None = None,
    *,
    resume: bool = False,
    shard: str | tuple[int, int] | Shard | None = None,
    overwrite: bool = False,
    token_budget: int | None = None,
    progress: Progress | bool | None = None,
) -> Result:
    """Run a task over all its items.

    All items are read and validated before the model computes anything. Finished parts are kept in ``OUT.parts``; if
    the run is killed, the same call with ``resume`` continues and writes the same bytes. When memory runs out, batches
    are halved. The bytes depend on the batches: another ``token_budget``, or halving, may change the last digit of
    floating-point numbers, as in any batched computation.

    Args:
        task: task to run.
        model: model that computes it.
        out: path of the output; None collects the rows in memory and returns the task's table.
        resume: continue from the parts of an earlier run of the same task, model and input.
        shard: ``"i/n"`` or ``(i, n)``: compute only the i-th of n shares; ``merge`` joins them. Shards may run at the
            same time, in one folder or on several machines, and continue from existing parts.
        overwrite: replace an existing output and the parts of an earlier run. A shard never removes parts.
        token_budget: maximum tokens of a batch, padding included; None for a default that fits into memory.
        progress: True for a progress bar on standard error, None for none, or an object with the methods of
            :class:`Progress`. If it has a method ``conclude``, it receives the return value.

    Returns:
        Counts of items and outcomes, with the table if ``out`` is None, and with the missing parts for a shard.

    Warns:
        DataWarning: more than 5 % of the items have no result.

    Raises:
        InputError: an item is invalid.
        RunError: the output exists, the parts belong to another run, or another process uses the folder.
        ResourceError: memory or disk space is insufficient; finished parts are kept.
        Interrupted: the run was stopped by Ctrl-C or SIGTERM; finished parts are kept.
    """
    if token_budget is not None and token_budget < 1:
        raise RunError(f"token_budget must be at least 1, not {token_budget}")
    work = Work(task, model, as_progress(progress), token_budget)
    request = _as_request(out, resume, shard, overwrite)
    if request is None and (resume or shard is not None):
        raise RunError("resume and shard need an output path", code="missing-argument", remedy=Remedy("out"))
    result = _in_memory(work) if request is None else _on_disk(work, request)
    report_outcome(work.progress, result)
    return result


def dry_run(
    task: Task[Any, Any],
    model: Model,
    out: Path | str | None = None,
    *,
    resume: bool = False,
    shard: str | tuple[int, int] | Shard | None = None,
    overwrite: bool = False,
    token_budget: int | None = None,
    progress: Progress | bool | None = None,
) -> Estimate:
    """Estimate what :func:`run` would do and how long it would take, without writing anything.

    The complete input is read and validated. A few batches, spread evenly over the remaining parts, are run for about
    ten seconds, and the total time is extrapolated from them.

    Args:
        task: as for :func:`run`.
        model: as for :func:`run`.
        out: as for :func:`run`; with ``resume`` or ``shard``, only missing parts count.
        resume: as for :func:`run`.
        shard: as for :func:`run`.
        overwrite: as for :func:`run`.
        token_budget: as for :func:`run`.
        progress: receives notes on smaller batches, and the estimate.

    Raises:
        InputError: an item is invalid.
        RunError: :func:`run` would be refused.
        ResourceError: a single window does not fit into memory.
    """
    work = Work(task, model, as_progress(progress), token_budget)
    estimate = estimate_run(work, _as_request(out, resume, shard, overwrite))
    report_outcome(work.progress, estimate)
    return estimate


def _as_request(
    out: Path | str | None, resume: bool, shard: str | tuple[int, int] | Shard | None, overwrite: bool
) -> RunRequest | None:
    if out is None:
        return None
    return RunRequest(Path(out), resume, None if shard is None else Shard.parse(shard), overwrite)


def _on_disk(work: Work, request: RunRequest) -> Result:
    with stoppable():
        return run_on_disk(work, request)


def _in_memory(work: Work) -> Result:
    plan = make_plan(work.task)
    batcher = Batcher(work, work.fitting_budget())
    tally = Tally(work.task, plan.items)
    with reporting(work.progress, work.task.name, work.bases(plan.cost)):
        table = work.task.collect(tally.counted(frame for _, frame in batcher.frames(plan, range(plan.parts))))
    summary = tally.summary(table)
    warn_missing_results(summary)
    budget = batcher.token_budget
    return Result(None, table, plan.items, plan.parts, plan.parts, token_budget=budget, summary=summary)
