"""Bulk runs: items are divided into parts, computed, and assembled into an output."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from genolm.engine.estimation import estimate_run
from genolm.engine.events import Finished, Listener, PartDone, Planned, current_observer, observed
from genolm.engine.executors.executor import ComputedPart, in_order
from genolm.engine.handle import Run
from genolm.engine.interrupt import stoppable
from genolm.engine.merge import merge
from genolm.engine.plan import make_plan
from genolm.engine.progress import as_listener
from genolm.engine.result import Estimate, Result
from genolm.engine.resumable import Options, RunRequest, run_on_disk
from genolm.engine.summary import Tally, note_missing_results
from genolm.engine.work import Work
from genolm.errors import RunError
from genolm.notes import collected, note
from genolm.remedies import Remedy

if TYPE_CHECKING:
    from genolm.engine.task import AnyTask
    from genolm.models.model import Model

__all__ = ["Estimate", "Options", "Result", "dry_run", "merge", "run", "start"]


def start(task: AnyTask, model: Model, out: Path | str | None = None, options: Options | None = None) -> Run[Result]:
    """Start a run in a thread of its own and return its handle.

    Args:
        task: as for :func:`run`.
        model: as for :func:`run`.
        out: as for :func:`run`.
        options: as for :func:`run`.

    Returns:
        Handle with ``events()``, ``cancel()`` and ``result()``; the errors of :func:`run` are raised by ``result()``.
    """
    return Run(lambda: run(task, model, out, options))


def run(
    task: AnyTask,
    model: Model,
    out: Path | str | None = None,
    options: Options | None = None,
    *,
    progress: Listener | bool | None = None,
) -> Result:
    """Run a task over all its items.

    All items are read and validated before the model computes anything. Finished parts are kept in ``OUT.parts``; if
    the run is killed, the same call with ``resume`` continues and writes the same bytes. When memory runs out, batches
    are halved. The bytes depend on the batches: another ``batch_tokens``, or halving, may change the last digit of
    floating-point numbers, as in any batched computation.

    Args:
        task: task to run.
        model: model that computes it.
        out: path of the output; None collects the rows in memory and returns the task's table.
        options: how the run is carried out.
        progress: True for a progress bar on standard error, None for none, or a function that receives each
            :data:`genolm.engine.events.Event`.

    Returns:
        Counts of items and outcomes and the notes to the user, with the table if ``out`` is None, and with the missing
        parts for a shard.

    Raises:
        InputError: an item is invalid.
        RunError: the output exists, the parts belong to another run, or another process uses the folder.
        ResourceError: memory or disk space is insufficient; finished parts are kept.
        Interrupted: the run was stopped by Ctrl-C or SIGTERM; finished parts are kept.
        CancelledError: the run was cancelled through its handle; finished parts are kept.
    """
    options = options or Options()
    request = _as_request(out, options)
    observer = current_observer().also(as_listener(progress))
    with observed(observer), collected() as notes:
        work = Work(task, model, observer, options.batch_tokens)
        result = _in_memory(work, options) if request is None else _on_disk(work, request)
        result = result.with_notes(notes)
        observer.emit(Finished(result))
    return result


def dry_run(
    task: AnyTask,
    model: Model,
    out: Path | str | None = None,
    options: Options | None = None,
    *,
    progress: Listener | bool | None = None,
) -> Estimate:
    """Estimate what :func:`run` would do and how long it would take, without writing anything.

    The complete input is read and validated. A few batches, spread evenly over the remaining parts, are run for about
    ten seconds, and the total time is extrapolated from them.

    Args:
        task: as for :func:`run`.
        model: as for :func:`run`.
        out: as for :func:`run`; with ``resume`` or ``shard``, only missing parts count.
        options: as for :func:`run`.
        progress: as for :func:`run`.

    Raises:
        InputError: an item is invalid.
        RunError: :func:`run` would be refused.
        ResourceError: a single window does not fit into memory.
    """
    options = options or Options()
    request = _as_request(out, options)
    observer = current_observer().also(as_listener(progress))
    with observed(observer):
        if options.executor.kind is not None:
            note("the time is that of one worker")
        estimate = estimate_run(Work(task, model, observer, options.batch_tokens), request)
        observer.emit(Finished(estimate))
    return estimate


def _as_request(out: Path | str | None, options: Options) -> RunRequest | None:
    if out is not None:
        return RunRequest(Path(out), options)
    if options.resume or options.keep_parts or options.shard is not None:
        problem = "resume, shard and keep_parts need an output path"
        raise RunError(problem, code="missing-argument", remedy=Remedy("out"))
    return None


def _on_disk(work: Work, request: RunRequest) -> Result:
    with stoppable():
        return run_on_disk(work, request)


def _in_memory(work: Work, options: Options) -> Result:
    settings = options.executor.settings(work.model, None)
    plan = make_plan(work.task, work.observer)
    settings = work.with_kernels(settings, plan)
    numbers = range(plan.parts)
    work.observer.emit(Planned(work.task.name, plan.items, plan.parts, plan.parts))
    tally, budgets = Tally(work.task, plan.items), [work.fitting_budget(device=settings.device)]
    computed = options.executor.compute(work, settings, plan, numbers, budgets[0])
    with closing(computed), work.observer.computing(work.task.name, work.bases(plan.cost)):
        parts = _reported(work, in_order(computed, numbers), budgets)
        table = work.task.collect(tally.counted(part.rows for part in parts))
    summary = tally.summary(table)
    note_missing_results(summary)
    return Result(None, table, plan.items, plan.parts, plan.parts, token_budget=min(budgets), summary=summary)


def _reported(work: Work, parts: Iterator[ComputedPart], budgets: list[int]) -> Iterator[ComputedPart]:
    """Yield the parts, emit an event for each, and append the tokens of its batches to ``budgets``."""
    for part in parts:
        budgets.append(part.token_budget)
        work.observer.emit(PartDone(part.number, part.seconds, part.worker))
        yield part
