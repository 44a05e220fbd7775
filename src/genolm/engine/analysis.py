"""Analysis of kept parts with other settings: the second phase of a run alone, without the model."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from genolm.engine.fingerprint import content_digest, task_name
from genolm.engine.interrupt import stop_signals, stoppable
from genolm.engine.merge import complete_parts
from genolm.engine.parts import Manifest, PartsFolder
from genolm.engine.result import Result
from genolm.engine.settings import NOT_STORED, is_complete, read_settings, write_settings
from genolm.engine.stored_types import stored_name
from genolm.engine.summary import Tally, note_missing_results
from genolm.engine.target import check_side_files, check_target, companions, refuse_inputs, side_files, write
from genolm.errors import InputError, ResourceError, RunError
from genolm.files.atomic import disk_full_named, make_folder, remove, sweep
from genolm.files.disk import is_disk_full
from genolm.files.locks import read_locked
from genolm.files.names import partial_path, through_link

if TYPE_CHECKING:
    from genolm.engine.task import AnyTask

Kind = TypeVar("Kind", bound="AnyTask")


def stored_task(parts: Path | str, *kinds: type[Kind]) -> Kind:
    """Return the task that computed the parts in a folder, with its settings.

    Args:
        parts: folder of a run with ``keep_parts``.
        kinds: expected classes of the task.

    Raises:
        RunError: the folder holds no parts, or those of another verb, of an unsupported version, or of a run whose
            input was too long a value in memory.
    """
    manifest = _manifest(PartsFolder(Path(parts)))
    names = [stored_name(kind)[0] for kind in kinds]
    if manifest.task["type"] not in names:
        raise RunError(f"{parts} holds parts of {_verb(manifest.task['type'])}, not of {_verb(names[0])}")
    if not is_complete(manifest.task):
        raise RunError(f"{parts}: {NOT_STORED}")
    task: Kind = read_settings(manifest.task)
    return task


def analyse(
    parts: Path | str,
    task: AnyTask,
    out: Path | str | None = None,
    *,
    given: Collection[Path] = (),
    overwrite: bool = False,
) -> Result:
    """Write an output from the parts of a complete run, which are only read.

    The output has the bytes of a run with the settings of ``task``.

    Args:
        parts: folder of a run with ``keep_parts``, or of all shards of a run.
        task: the task of the parts (:func:`stored_task`), possibly with other values of the fields that its class lists
            as ``analysis``.
        out: path of the output; None collects the result in memory.
        given: input files of the analysis that replace those of the run; all others must be unchanged.
        overwrite: replace an existing output.

    Returns:
        Result with the path of the output or the collected table, and the summary.

    Raises:
        InputError: an input file is missing or has changed since the parts were computed.
        RunError: parts are missing or damaged, the task differs in more than its analysis, the output exists or lies
            in the folder of the parts, or a run is using the folder.
        ResourceError: the disk is full; nothing is written.
        KeyboardInterrupt: Ctrl-C or SIGTERM; nothing is written.
    """
    folder = PartsFolder(Path(parts))
    path = None if out is None else Path(out)
    _manifest(folder)
    if path is not None:
        _check_output(task, folder, path, overwrite)
    with stoppable(), read_locked(folder.path):
        manifest = _manifest(folder)
        _refuse_other_task(manifest, task, folder)
        _check_inputs(manifest, task, given)
        sources = complete_parts([folder], manifest)
        frames, plan = (source.read(number) for number, source in enumerate(sources)), manifest.plan
        tally = Tally(task, plan.items)
        if path is None:
            table = task.collect(tally.counted(frames))
            summary = tally.summary(table)
        else:
            table = None
            with _published(task, path) as draft:
                summary = write(task, frames, draft, plan.items)
    note_missing_results(summary)
    return Result(path, table, plan.items, plan.parts, 0, summary=summary)


def _manifest(folder: PartsFolder) -> Manifest:
    manifest = folder.manifest()
    if manifest is None:
        raise RunError(f"{folder.path} holds no parts of a run; name the folder OUTPUT.parts of a run with keep_parts")
    return manifest


def _verb(stored: str) -> str:
    return stored.replace("-", " ")


def _check_output(task: AnyTask, folder: PartsFolder, out: Path, overwrite: bool) -> None:
    """Raise `RunError` if the output cannot be written, would change the parts, or belongs to another run."""
    if Path(os.path.realpath(out)).is_relative_to(os.path.realpath(folder.path)):
        raise RunError(f"{out} lies in the folder of the parts, which an analysis must not change")
    check_target(out, overwrite=overwrite)
    check_side_files(out, side_files(task, out), overwrite=overwrite)
    refuse_inputs(task, out)
    other = PartsFolder.of(out)
    if other.has_parts and not other.path.samefile(folder.path):
        raise RunError(f"{other.path} holds parts of another run, whose output {out} is; choose another output")


def _refuse_other_task(manifest: Manifest, task: AnyTask, folder: PartsFolder) -> None:
    """Raise `RunError` if the task is not that of the parts, or differs in a field that determined them."""
    written, allowed = write_settings(task), tuple(getattr(task, "analysis", ()))
    if task_name(written) != task_name(manifest.task):
        raise RunError(f"{folder.path} holds parts of {task_name(manifest.task)}, not of {task_name(written)}")
    computed = [
        name
        for name in _changed(manifest.task["fields"], written["fields"])
        if not any(name == field or name.startswith(f"{field}.") for field in allowed)
    ]
    if computed:
        raise RunError(f"{folder.path} was computed with another {computed[0]}: an analysis cannot change it")


def _changed(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the names of the fields that differ; those of nested values after a dot."""
    for name in sorted({*before, *now}):
        match before.get(name), now.get(name):
            case was, current if was == current:
                pass
            case {"$value": {"type": kind, "fields": was}}, {"$value": {"type": same, "fields": current}} if (
                kind == same
            ):
                yield from _changed(was, current, f"{prefix}{name}.")
            case _:
                yield f"{prefix}{name}"


def _check_inputs(manifest: Manifest, task: AnyTask, given: Collection[Path]) -> None:
    """Raise `InputError` if a file that the analysis reads is missing or not the one that the parts were made from."""
    before: AnyTask = task if ":" in manifest.task["type"] else read_settings(manifest.task)
    digests = dict(zip(before.inputs(), manifest.fingerprint["inputs"], strict=False))
    for path in task.inputs():
        if path not in given and digests.get(path) not in (None, content_digest(path)):
            raise InputError("the content has changed since the parts were computed; run the verb again", file=path)


@contextmanager
def _published(task: AnyTask, out: Path) -> Iterator[Path]:
    """Provide a path of the same name in a hidden folder; when the block ends, its files replace those of the output.

    If the block fails, nothing is written.
    """
    target = through_link(out)
    for path in (out, *companions(task, out)):
        sweep(path)
    hidden = partial_path(target)
    try:
        with _unchanged_parts(out), disk_full_named(out):
            make_folder(hidden, named=out)
            draft = hidden / out.name
            yield draft
            with stop_signals():  # between the first file and the last, the output would be incomplete
                _publish(draft, target, out, companions(task, out))
    finally:
        remove(hidden)


def _publish(draft: Path, target: Path, out: Path, companions: Collection[Path]) -> None:
    """Replace an earlier output, at the target of a link; it appears after the files next to it."""
    for old in (target, *companions):
        remove(old)
    for path in draft.parent.iterdir():
        if path != draft:
            shutil.move(path, out.with_name(path.name))
    draft.replace(target)


@contextmanager
def _unchanged_parts(out: Path) -> Iterator[None]:
    try:
        yield
    except ResourceError as error:
        if error.__cause__ is None or not is_disk_full(error.__cause__):
            raise
        message = f"{out}: the disk is full; nothing was written, and the parts are unchanged: free space and repeat"
        raise ResourceError(message) from error.__cause__
