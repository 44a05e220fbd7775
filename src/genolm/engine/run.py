"""The one function for bulk work: items → parts → artefact."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from genolm.engine.estimation import estimate_run
from genolm.engine.forward import Batcher
from genolm.engine.interrupt import stoppable
from genolm.engine.merge import merge
from genolm.engine.plan import Shard, make_plan
from genolm.engine.preflight import fitting_budget
from genolm.engine.progress import Progress, as_progress, report_outcome, reporting
from genolm.engine.result import Estimate, Result
from genolm.engine.resumable import RunRequest, run_on_disk
from genolm.engine.summary import Tally, warn_missing_results
from genolm.errors import RunError

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
    """Runs a task over all its items.

    All items are read and validated before the model computes anything. Finished parts are kept in ``OUT.parts``; when
    the run is killed, the same call with ``resume`` goes on and writes the same bytes. Running out of memory halves the
    batches. The bytes are the same for the same batches: another ``token_budget``, or a halving, may change the last
    digit of a model's floating-point numbers, as in any batched computation.

    Args:
        task: what to do.
        model: what to do it with.
        out: the artefact; None collects everything in memory and returns the task's table.
        resume: go on with the parts of an earlier run of the same task, model and input.
        shard: ``"i/n"`` or ``(i, n)``: compute only the i-th of n shares and leave the rest to ``merge``. Shards may
            run at the same time, in one folder or on many machines, and go on with what they find.
        overwrite: replace an existing output, and the parts of an earlier run. A shard never removes parts.
        token_budget: most tokens of a batch, pads included; None for a default that fits the memory.
        progress: True for a bar on standard error, an object of one's own, or None for silence. An object with a method
            ``conclude`` is handed what is returned here.

    Returns:
        What was done and how many items ended in which way, with the table when ``out`` is None and the missing parts
        after a shard.

    Warns:
        DataWarning: more than 5 % of the items have no result.

    Raises:
        InputError: for items that cannot be used.
        RunError: when the output exists, parts belong to another run, or another process works here.
        ResourceError: when memory or disk do not suffice; finished parts are kept.
        Interrupted: on Ctrl-C or SIGTERM; finished parts are kept.
    """
    if token_budget is not None and token_budget < 1:
        raise RunError(f"a batch needs at least 1 token, not {token_budget}")
    told = as_progress(progress)
    request = None if out is None else RunRequest(Path(out), resume, _share(shard), overwrite, token_budget)
    if request is None and (resume or shard is not None):
        raise RunError("a run in memory can neither be resumed nor sharded; give it an output")
    result = _in_memory(task, model, token_budget, told) if request is None else _on_disk(task, model, request, told)
    report_outcome(told, result)
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

    The whole input is read and checked. A few batches, spread evenly over what is left to compute, go through the model
    for about ten seconds; the total time is extrapolated from them.

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
        InputError: for items that cannot be used.
        RunError: where :func:`run` would refuse.
        ResourceError: when a single window does not fit into memory.
    """
    told = as_progress(progress)
    request = None if out is None else RunRequest(Path(out), resume, _share(shard), overwrite, token_budget)
    found = estimate_run(task, model, request, token_budget, told)
    report_outcome(told, found)
    return found


def _share(shard: str | tuple[int, int] | Shard | None) -> Shard | None:
    return None if shard is None else Shard.parse(shard)


def _on_disk(task: Task[Any, Any], model: Model, request: RunRequest, progress: Progress) -> Result:
    with stoppable():
        return run_on_disk(task, model, request, progress)


def _in_memory(task: Task[Any, Any], model: Model, asked: int | None, progress: Progress) -> Result:
    plan = make_plan(task)
    batcher = Batcher(task, model, fitting_budget(task, model, asked, progress), progress)
    tally = Tally(task, plan.items)
    with reporting(progress, task.name, batcher.bases(plan.cost)):
        table = task.collect(tally.counted(frame for _, frame in batcher.frames(plan, range(plan.parts))))
    summary = tally.summary(table)
    warn_missing_results(summary)
    budget = batcher.token_budget
    return Result(None, table, plan.items, plan.parts, plan.parts, token_budget=budget, summary=summary)
