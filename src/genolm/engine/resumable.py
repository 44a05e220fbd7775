"""A run whose parts live on the disk, so that it can be killed, continued and shared out."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genolm.engine.fingerprint import changes, fingerprint
from genolm.engine.forward import Batcher
from genolm.engine.interrupt import Interrupted
from genolm.engine.parts import Manifest, PartsFolder
from genolm.engine.plan import Shard, make_plan
from genolm.engine.preflight import check_disk, fitting_budget
from genolm.engine.progress import Progress, showing
from genolm.engine.result import Result
from genolm.engine.settings import write_settings
from genolm.engine.target import assemble, beside, check_beside, check_place, check_target, refuse_inputs
from genolm.errors import RunError
from genolm.files.locks import locked, planning

if TYPE_CHECKING:
    from genolm.engine.task import Task
    from genolm.models.model import Model


@dataclass(frozen=True, slots=True)
class Order:
    """What the caller asked for, beside task and model; the fields mean what they mean in :func:`genolm.engine.run`."""

    out: Path
    resume: bool
    shard: Shard | None
    overwrite: bool
    token_budget: int | None

    @property
    def share_name(self) -> str | None:
        """The shard as ``i/n``; None for a whole run."""
        return None if self.shard is None else str(self.shard)


def run_on_disk(task: Task[Any, Any], model: Model, order: Order, progress: Progress) -> Result:
    """Computes the parts that are not there yet and, unless this is a shard, assembles the artefact."""
    folder = PartsFolder.of(order.out)
    check_place(order.out, folder.path.name)
    if folder.started and not order.shard:
        with locked(folder.path):  # else a run that is at work now would be called an earlier one
            pass
    _refuse_early(folder, order)
    _refuse_files(task, order)
    manifest = _planned(task, model, order)
    with locked(folder.path, order.share_name), _tidy(folder, manifest, order):
        manifest = _entered(folder, manifest, order)
        budget = fitting_budget(task, model, order.token_budget or manifest.token_budget, progress)
        batcher = Batcher(task, model, budget, progress)
        computed = _compute(folder, manifest, batcher, _share(manifest, order))
        return _result(task, folder, manifest, order, computed, batcher.token_budget)


def left_to_do(task: Task[Any, Any], model: Model, order: Order) -> tuple[Manifest, list[int]]:
    """The run as :func:`run_on_disk` would go about it, and the parts it would compute; nothing is written.

    Raises:
        RunError: where that run would be refused.
    """
    folder = PartsFolder.of(order.out)
    _refuse_early(folder, order)
    _refuse_files(task, order)
    manifest = _planned(task, model, order)
    existing = folder.manifest() if _goes_on(folder, order) else None
    if existing is None:
        return manifest, list(_share(manifest, order))
    _refuse_other(folder, existing, manifest, _remedy(order, folder))
    share = _share(existing, order)
    return existing, sorted(set(share) - folder.ready(share, existing.run_id))


def _goes_on(folder: PartsFolder, order: Order) -> bool:
    """Whether the parts that are there are kept."""
    return order.shard is not None or (folder.started and (order.resume or not order.overwrite))


def _refuse_early(folder: PartsFolder, order: Order) -> None:
    """Before the input is read: whatever can already be seen to be in the way."""
    check_target(order.out, overwrite=order.overwrite, resume=order.resume)
    if folder.started and not (order.resume or order.overwrite or order.shard):
        raise RunError(f"{folder.path} holds parts of an earlier run; --resume goes on, --overwrite starts anew")


def _refuse_files(task: Task[Any, Any], order: Order) -> None:
    """Raise an error where the run would replace one of its inputs, or another's file beside its output."""
    refuse_inputs(task, order.out)
    check_beside(order.out, beside(task, order.out), overwrite=order.overwrite, resume=order.resume)


def _planned(task: Task[Any, Any], model: Model, order: Order) -> Manifest:
    plan = make_plan(task)
    settings = write_settings(task)
    return Manifest(settings, fingerprint(task, model, settings), plan, order.token_budget, order.overwrite)


def _share(manifest: Manifest, order: Order) -> range:
    return order.shard.parts(manifest.plan) if order.shard else range(manifest.plan.parts)


@contextmanager
def _tidy(folder: PartsFolder, manifest: Manifest, order: Order) -> Iterator[None]:
    """Names what was kept when the run is stopped; keeps no folder when nothing was finished."""
    try:
        yield
    except KeyboardInterrupt:
        done = manifest.plan.parts - len(folder.absent(manifest.plan))
        text = f"stopped with {done} of {manifest.plan.parts} parts finished; go on with --resume"
        raise Interrupted(text) from None
    finally:
        if order.shard is None and not folder.started:
            shutil.rmtree(folder.path, ignore_errors=True)


def _entered(folder: PartsFolder, manifest: Manifest, order: Order) -> Manifest:
    """The manifest to work by: the one that is there if it is of the same run, else ours, written down."""
    with planning(folder.path) if order.shard else nullcontext():
        _refuse_early(folder, order)  # again: now that nobody else can change it
        if not _goes_on(folder, order):
            folder.clear()
        existing = folder.manifest()
        if existing is not None:
            _refuse_other(folder, existing, manifest, _remedy(order, folder))
            return existing
        folder.begin(manifest)
        return manifest


def _remedy(order: Order, folder: PartsFolder) -> str:
    """Return the advice for starting over; a shard never removes parts, since other shards may be using them."""
    return f"remove {folder.path}" if order.shard else "start anew with --overwrite"


def _refuse_other(folder: PartsFolder, existing: Manifest, manifest: Manifest, remedy: str) -> None:
    differences = changes(existing.fingerprint, manifest.fingerprint)
    if not differences and existing.plan != manifest.plan:
        differences = ["items of the input"]
    if differences:
        raise RunError(
            f"{folder.path} belongs to another run; changed: {'; '.join(differences)}. "
            f"Go back to the former, choose another output, or {remedy}"
        )


def _compute(folder: PartsFolder, manifest: Manifest, batcher: Batcher, share: Collection[int]) -> int:
    """Computes the parts of the share that are not ready; returns how many those were."""
    costs = manifest.plan.costs
    todo = sorted(set(share) - folder.ready(share, manifest.run_id))
    total, left = (batcher.bases(sum(costs[number] for number in numbers)) for numbers in (share, todo))
    check_disk(folder.path, parts_left=len(todo))
    with showing(batcher.progress, batcher.task.name, total, total - left):
        for done, (number, frame) in enumerate(batcher.frames(manifest.plan, todo), start=1):
            size = folder.write(number, frame, manifest.run_id)
            check_disk(folder.path, size, len(todo) - done)
    return len(todo)


def _result(
    task: Task[Any, Any], folder: PartsFolder, manifest: Manifest, order: Order, computed: int, budget: int
) -> Result:
    plan = manifest.plan
    if order.shard is None:
        summary = assemble(task, folder.frames(plan), folder, order.out, plan.items)
        return Result(order.out, None, plan.items, plan.parts, computed, token_budget=budget, summary=summary)
    return Result(None, None, plan.items, plan.parts, computed, folder.absent(plan), budget)
