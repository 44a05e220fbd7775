"""Resumable runs: parts on disk that can be continued and computed by several processes."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genolm.engine.fingerprint import changes, fingerprint
from genolm.engine.forward import Batcher
from genolm.engine.free_memory import format_bytes
from genolm.engine.interrupt import Interrupted
from genolm.engine.parts import Manifest, PartsFolder
from genolm.engine.plan import Shard, make_plan
from genolm.engine.progress import reporting
from genolm.engine.result import Result
from genolm.engine.settings import write_settings
from genolm.engine.target import assemble, check_output, check_side_files, check_target, refuse_inputs, side_files
from genolm.errors import ResourceError, RunError
from genolm.files.locks import locked, planning

if TYPE_CHECKING:
    from genolm.engine.task import Task
    from genolm.engine.work import Work

_LEAST_DISK = 2**20  # bytes


@dataclass(frozen=True, slots=True)
class RunRequest:
    """Output and options of a run, as in :func:`genolm.engine.run.run`."""

    out: Path
    resume: bool
    shard: Shard | None
    overwrite: bool
    keep_parts: bool = False

    @property
    def shard_name(self) -> str | None:
        """The shard as ``i/n``; None without a shard."""
        return None if self.shard is None else str(self.shard)


def run_on_disk(work: Work, request: RunRequest) -> Result:
    """Compute the missing parts and, unless this is a shard, assemble the output."""
    folder = PartsFolder.of(request.out)
    check_output(request.out, folder.path.name)
    if folder.has_parts and not request.shard:
        with locked(folder.path):  # otherwise parts of a running process would be reported as those of an earlier run
            pass
    _refuse_early(folder, request)
    _refuse_files(work.task, request)
    manifest = _new_manifest(work, request)
    with locked(folder.path, request.shard_name), _tidy(folder, manifest, request):
        manifest = _enter(folder, manifest, request)
        batcher = Batcher(work, work.fitting_budget(manifest.token_budget))
        computed = _compute(folder, manifest, batcher, _share(manifest, request))
        return _result(work.task, folder, manifest, request, computed, batcher.token_budget)


def remaining_parts(work: Work, request: RunRequest) -> tuple[Manifest, list[int]]:
    """Return the manifest and the parts that :func:`run_on_disk` would compute; nothing is written.

    Raises:
        RunError: the run would be refused.
    """
    folder = PartsFolder.of(request.out)
    _refuse_early(folder, request)
    _refuse_files(work.task, request)
    manifest = _new_manifest(work, request)
    existing = folder.manifest() if _keeps_parts(folder, request) else None
    if existing is None:
        return manifest, list(_share(manifest, request))
    _refuse_other(folder, existing, manifest, _remedy(request, folder))
    share = _share(existing, request)
    return existing, sorted(set(share) - folder.ready(share, existing.run_id))


def _keeps_parts(folder: PartsFolder, request: RunRequest) -> bool:
    """Return whether existing parts are kept."""
    return request.shard is not None or (folder.has_parts and (request.resume or not request.overwrite))


def _refuse_early(folder: PartsFolder, request: RunRequest) -> None:
    """Raise the errors that can be found before the input is read."""
    check_target(request.out, overwrite=request.overwrite, resume=request.resume)
    if folder.has_parts and not (request.resume or request.overwrite or request.shard):
        raise RunError(
            f"{folder.path} holds parts of an earlier run; resume with --resume or start over with --overwrite"
        )


def _refuse_files(task: Task[Any, Any], request: RunRequest) -> None:
    """Raise an error if the run would replace one of its inputs, or a foreign file next to its output."""
    refuse_inputs(task, request.out)
    check_side_files(request.out, side_files(task, request.out), overwrite=request.overwrite, resume=request.resume)


def _new_manifest(work: Work, request: RunRequest) -> Manifest:
    plan = make_plan(work.task)
    settings = write_settings(work.task)
    identity = fingerprint(work.task, work.model, settings)
    return Manifest(settings, identity, plan, work.token_budget, request.overwrite, request.keep_parts)


def _share(manifest: Manifest, request: RunRequest) -> range:
    return request.shard.parts(manifest.plan) if request.shard else range(manifest.plan.parts)


@contextmanager
def _tidy(folder: PartsFolder, manifest: Manifest, request: RunRequest) -> Iterator[None]:
    """Report the finished parts when the run is stopped, and remove the folder if it has no parts."""
    try:
        yield
    except KeyboardInterrupt:
        done = manifest.plan.parts - len(folder.missing(manifest.plan))
        text = f"stopped with {done} of {manifest.plan.parts} parts finished; resume with --resume"
        raise Interrupted(text) from None
    finally:
        if request.shard is None and not folder.has_parts:
            shutil.rmtree(folder.path, ignore_errors=True)


def _enter(folder: PartsFolder, manifest: Manifest, request: RunRequest) -> Manifest:
    """Return the folder's manifest if it belongs to the same run; otherwise write and return the new one."""
    with planning(folder.path) if request.shard else nullcontext():
        _refuse_early(folder, request)  # again, now that the folder is locked
        if not _keeps_parts(folder, request):
            folder.clear()
        existing = folder.manifest()
        if existing is not None:
            _refuse_other(folder, existing, manifest, _remedy(request, folder))
            return existing
        folder.write_manifest(manifest)
        return manifest


def _remedy(request: RunRequest, folder: PartsFolder) -> str:
    """Return the advice for starting over; a shard never removes parts, since other shards may be using them."""
    return f"remove {folder.path} to start over" if request.shard else "overwrite to start over"


def _refuse_other(folder: PartsFolder, existing: Manifest, manifest: Manifest, remedy: str) -> None:
    differences = changes(existing.fingerprint, manifest.fingerprint)
    if not differences and existing.plan != manifest.plan:
        differences = ["items of the input"]
    if differences:
        raise RunError(
            f"{folder.path} belongs to another run; changed: {'; '.join(differences)}. "
            f"Restore the previous settings, choose another output, or {remedy}"
        )


def _compute(folder: PartsFolder, manifest: Manifest, batcher: Batcher, share: Collection[int]) -> int:
    """Compute the parts of the share that are not ready; return their number."""
    costs = manifest.plan.costs
    todo = sorted(set(share) - folder.ready(share, manifest.run_id))
    total, left = (batcher.work.bases(sum(costs[number] for number in numbers)) for numbers in (share, todo))
    check_disk(folder.path, parts_left=len(todo))
    with reporting(batcher.work.progress, batcher.work.task.name, total, total - left):
        for done, (number, frame) in enumerate(batcher.frames(manifest.plan, todo), start=1):
            size = folder.write(number, frame, manifest.run_id)
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
            f"{folder}: the remaining parts need about {needed} of disk space, but {left} are free; "
            "finished parts are kept: free space and resume with --resume"
        )


def _result(
    task: Task[Any, Any], folder: PartsFolder, manifest: Manifest, request: RunRequest, computed: int, budget: int
) -> Result:
    plan = manifest.plan
    if request.shard is None:
        keep = request.keep_parts or manifest.keep_parts
        summary = assemble(task, folder.frames(plan), folder, request.out, plan.items, keep=keep)
        return Result(request.out, None, plan.items, plan.parts, computed, token_budget=budget, summary=summary)
    return Result(None, None, plan.items, plan.parts, computed, folder.missing(plan), budget)
