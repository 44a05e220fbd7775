"""Options of runs, and resumable runs: parts on disk that can be continued and computed by several processes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from genolm.engine.events import PartDone, Planned
from genolm.engine.executors.in_process import InProcess
from genolm.engine.fingerprint import fingerprint, is_complete
from genolm.engine.free_memory import format_bytes
from genolm.engine.interrupt import CancelledError, Interrupted
from genolm.engine.parts import MANIFEST, Manifest, PartsFolder
from genolm.engine.plan import Shard, make_plan
from genolm.engine.result import Result
from genolm.engine.settings import write_settings
from genolm.engine.target import assemble, check_output, check_side_files, check_target, refuse_inputs, side_files
from genolm.errors import ResourceError, RunError
from genolm.files.locks import locked, planning
from genolm.remedies import Advice, Notice, Remedy

if TYPE_CHECKING:
    import polars as pl

    from genolm.engine.events import Observer
    from genolm.engine.executors.executor import Executor
    from genolm.engine.task import AnyTask
    from genolm.engine.work import Work

_LEAST_DISK = 2**20  # bytes
_CONTINUE = Remedy("resume", True, "continue")


@dataclass(frozen=True, slots=True)
class Options:
    """How a run is carried out; none of it determines the result.

    Attributes:
        resume: continue from the parts of an earlier run of the same task, model and input.
        overwrite: replace an existing output and the parts of an earlier run. A shard never removes parts.
        shard: compute only the i-th of n shares of the parts, given as ``"i/n"`` or ``(i, n)``; ``merge`` joins them.
            Shards may run at the same time, in one folder or on several machines, and continue from existing parts.
        keep_parts: keep the parts when the output is complete, for :func:`genolm.engine.analysis.analyse`.
        batch_tokens: maximum tokens of a batch, padding included; None for a default that fits into memory.
        executor: what computes the parts.

    Raises:
        RunError: ``batch_tokens`` is below 1, or the shard is invalid.
    """

    resume: bool = False
    overwrite: bool = False
    shard: str | tuple[int, int] | Shard | None = None
    keep_parts: bool = False
    batch_tokens: int | None = None
    executor: Executor = field(default_factory=InProcess)

    def __post_init__(self) -> None:
        if self.batch_tokens is not None and self.batch_tokens < 1:
            raise RunError(f"batch_tokens must be at least 1, not {self.batch_tokens}")
        if self.shard is not None:
            Shard.parse(self.shard)

    @property
    def share(self) -> Shard | None:
        """The share to compute; None for all parts."""
        return None if self.shard is None else Shard.parse(self.shard)

    @property
    def shard_name(self) -> str | None:
        """The shard as ``i/n``; None without a shard."""
        return None if self.shard is None else str(self.share)


@dataclass(frozen=True, slots=True)
class RunRequest:
    """Output and options of a run."""

    out: Path
    options: Options


def run_on_disk(work: Work, request: RunRequest) -> Result:
    """Compute the missing parts and, unless this is a shard, assemble the output."""
    folder = PartsFolder.of(request.out)
    check_output(request.out, folder.path.name)
    if folder.has_parts and not request.options.shard:
        with locked(folder.path):  # otherwise parts of a running process would be reported as those of an earlier run
            pass
    _refuse_early(folder, request)
    _refuse_files(work.task, request)
    with (
        _removed_unless_planned(folder, request),
        locked(folder.path, request.options.shard_name),
        _tidy(folder, request),
    ):
        manifest = _enter(folder, work, request)
        budgets = [work.fitting_budget(manifest.token_budget, manifest.compute.device)]
        computed = _compute(folder, manifest, work, request, budgets)
        return _result(work, folder, manifest, request, computed, min(budgets))


def remaining_parts(work: Work, request: RunRequest) -> tuple[Manifest, list[int]]:
    """Return the manifest and the parts that :func:`run_on_disk` would compute; nothing is written.

    Raises:
        RunError: the run would be refused.
    """
    folder = PartsFolder.of(request.out)
    _refuse_early(folder, request)
    _refuse_files(work.task, request)
    existing = folder.manifest() if _keeps_parts(folder, request) else None
    manifest = _new_manifest(work, request, existing)
    if existing is None:
        return manifest, list(_share(manifest, request))
    _refuse_other(folder, existing, manifest, _remedy(request, folder))
    share = _share(existing, request)
    return existing, sorted(set(share) - folder.ready(share, existing.run_id))


def _keeps_parts(folder: PartsFolder, request: RunRequest) -> bool:
    """Return whether existing parts are kept; a shard never removes them, since other shards may be using them."""
    options = request.options
    return options.shard is not None or (folder.has_parts and (options.resume or not options.overwrite))


def _refuse_early(folder: PartsFolder, request: RunRequest) -> None:
    """Raise the errors that can be found before the input is read."""
    options = request.options
    check_target(request.out, overwrite=options.overwrite, resume=options.resume)
    if folder.has_parts and not (options.resume or options.overwrite or options.shard):
        raise RunError(
            f"{folder.path} holds parts of an earlier run",
            code="parts-exist",
            remedy=(Remedy("resume", True, "continue it"), Remedy("overwrite", True, "start over")),
        )


def _refuse_files(task: AnyTask, request: RunRequest) -> None:
    """Raise an error if the run would replace one of its inputs, or a foreign file next to its output."""
    refuse_inputs(task, request.out)
    options, files = request.options, side_files(task, request.out)
    check_side_files(request.out, files, overwrite=options.overwrite, resume=options.resume)


def _new_manifest(work: Work, request: RunRequest, existing: Manifest | None) -> Manifest:
    """Return the manifest of this run; the plan of an existing one is used if it was made for the same input."""
    settings = write_settings(work.task)
    compute = request.options.executor.settings(work.model, None if existing is None else existing.compute)
    identity = fingerprint(work.task, work.model, settings)
    known = existing is not None and existing.fingerprint == identity and is_complete(identity)
    plan = existing.plan if existing is not None and known else make_plan(work.task, work.observer)
    if existing is None:
        compute = work.with_kernels(compute, plan)
    options = request.options
    return Manifest(settings, identity, compute, plan, work.token_budget, options.overwrite, options.keep_parts)


def _share(manifest: Manifest, request: RunRequest) -> range:
    share = request.options.share
    return range(manifest.plan.parts) if share is None else share.parts(manifest.plan)


@contextmanager
def _tidy(folder: PartsFolder, request: RunRequest) -> Iterator[None]:
    """Report the finished parts when the run is stopped, and remove the folder of a run without parts."""
    try:
        yield
    except KeyboardInterrupt as stop:
        text = _finished_parts(folder)
        raise Interrupted(Notice(f"stopped with {text}", (_CONTINUE,))) if text else stop from None
    except CancelledError:
        text = _finished_parts(folder)
        raise CancelledError(f"cancelled with {text or 'no part finished'}", remedy=_CONTINUE if text else ()) from None
    finally:
        if request.options.shard is None and not folder.has_parts:
            shutil.rmtree(folder.path, ignore_errors=True)


@contextmanager
def _removed_unless_planned(folder: PartsFolder, request: RunRequest) -> Iterator[None]:
    """Remove the folder after a shard that made no plan, unless other shards have locked it."""
    try:
        yield
    finally:
        if request.options.shard is not None and folder.path.is_dir() and not (folder.path / MANIFEST).exists():
            with suppress(RunError), locked(folder.path):
                if not folder.has_parts and not (folder.path / MANIFEST).exists():
                    shutil.rmtree(folder.path, ignore_errors=True)


def _finished_parts(folder: PartsFolder) -> str:
    """Return how many parts are finished; empty if the run was not planned yet."""
    manifest = folder.manifest()
    if manifest is None:
        return ""
    done = manifest.plan.parts - len(folder.missing(manifest.plan))
    return f"{done} of {manifest.plan.parts} parts finished"


def _enter(folder: PartsFolder, work: Work, request: RunRequest) -> Manifest:
    """Return the folder's manifest if it belongs to the same run; otherwise write and return a new one.

    Shards wait for the one that makes the plan, so that the input is validated once.
    """
    with planning(folder.path) if request.options.shard else nullcontext():
        _refuse_early(folder, request)  # again, now that the folder is locked
        if not _keeps_parts(folder, request):
            folder.clear()
        existing = folder.manifest()
        manifest = _new_manifest(work, request, existing)
        if existing is not None:
            _refuse_other(folder, existing, manifest, _remedy(request, folder))
            return existing
        folder.write_manifest(manifest)
        return manifest


def _remedy(request: RunRequest, folder: PartsFolder) -> Advice:
    """Return the advice for starting over; a shard never removes parts, since other shards may be using them."""
    return f"remove {folder.path} to start over" if request.options.shard else Remedy("overwrite", True, "start over")


def _refuse_other(folder: PartsFolder, existing: Manifest, manifest: Manifest, remedy: Advice) -> None:
    if differences := existing.changes(manifest):
        raise RunError(
            f"{folder.path} belongs to another run (changed: {'; '.join(differences)})",
            code="other-run",
            remedy=("restore the previous settings", "choose another output", remedy),
        )


def _compute(folder: PartsFolder, manifest: Manifest, work: Work, request: RunRequest, budgets: list[int]) -> int:
    """Compute the parts of the share that are not ready; return their number.

    Args:
        folder: folder of the parts.
        manifest: manifest of the run.
        work: task, model and observer.
        request: output and options.
        budgets: maximum tokens of a batch at the start; those at the end of each part are appended.
    """
    plan, share = manifest.plan, _share(manifest, request)
    todo = sorted(set(share) - folder.ready(share, manifest.run_id))
    total, left = (work.bases(sum(plan.costs[number] for number in numbers)) for numbers in (share, todo))
    check_disk(folder.path, parts_left=len(todo))
    work.observer.emit(Planned(work.task.name, plan.items, plan.parts, len(todo)))
    parts = request.options.executor.compute(work, manifest.compute, plan, todo, budgets[0])
    with closing(parts), work.observer.computing(work.task.name, total, total - left):
        for done, part in enumerate(parts, start=1):
            size = folder.write(part.number, part.rows, manifest.run_id)
            budgets.append(part.token_budget)
            work.observer.emit(PartDone(part.number, part.seconds, part.worker))
            check_disk(folder.path, size, len(todo) - done)
    return len(todo)


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
            f"{folder}: the remaining parts need about {needed} of disk space, but {left} are free; finished parts are"
            " kept",
            code="disk-full",
            remedy=Remedy("resume", True, "continue when there is space"),
        )


def _result(
    work: Work, folder: PartsFolder, manifest: Manifest, request: RunRequest, computed: int, budget: int
) -> Result:
    plan = manifest.plan
    if request.options.shard is not None:
        return Result(None, None, plan.items, plan.parts, computed, folder.missing(plan), budget)
    frames = unless_cancelled(folder.frames(plan), work.observer)
    keep = request.options.keep_parts or manifest.keep_parts
    summary = assemble(work.task, frames, folder, request.out, plan.items, keep=keep)
    return Result(request.out, None, plan.items, plan.parts, computed, token_budget=budget, summary=summary)


def unless_cancelled(frames: Iterator[pl.DataFrame], observer: Observer) -> Iterator[pl.DataFrame]:
    """Yield the frames; raise :class:`CancelledError` once the run is cancelled."""
    for frame in frames:
        observer.check()
        yield frame
    observer.check()
