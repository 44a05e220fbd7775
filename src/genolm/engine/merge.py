"""Joining the shards of a run into its artefact, without the model."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genolm.engine.fingerprint import changes, task_name, without_paths
from genolm.engine.interrupt import stoppable
from genolm.engine.parts import Manifest, PartsFolder, PartState
from genolm.engine.result import Result
from genolm.engine.settings import read_settings, write_settings
from genolm.engine.target import assemble, check_side_files, check_target, refuse_inputs, side_files
from genolm.errors import RunError
from genolm.files.locks import locked

if TYPE_CHECKING:
    from genolm.engine.task import Task

_NAMED = 10  # parts named in a message


def merge(
    out: Path | str,
    folders: Sequence[Path | str] = (),
    *,
    task: Task[Any, Any] | None = None,
    overwrite: bool = False,
) -> Result:
    """Join the shards of a run into its one output, then remove the folder of their parts; no model is needed.

    Args:
        out: the output that the shards were run with; of a scan its prefix, or ``PREFIX.json``.
        folders: further folders of parts, such as copies from other machines; they are only read.
        task: the task that ran; needed only when its class is not genolm's.
        overwrite: replace an existing output.

    Returns:
        Where the output is, its numbers of items and parts, and the summary of the whole run.

    Raises:
        RunError: parts are missing or torn, folders belong to different runs, the output exists, or a run is still at
            work.
        ResourceError: the disk is full.
    """
    others = [PartsFolder(Path(folder)) for folder in folders]
    out = _named_after(Path(out), others)
    own = PartsFolder.of(out)
    check_target(out, overwrite=overwrite, resume=True)
    with stoppable(), _entered(own):
        places = _places(own, others)
        manifest = _agreed(places)
        sources = _sources(list(places), manifest)
        job = _task(manifest, task)
        refuse_inputs(job, out)
        check_side_files(out, side_files(job, out), overwrite=overwrite, resume=True)
        frames, plan = (source.read(number) for number, source in enumerate(sources)), manifest.plan
        summary = assemble(job, frames, own, out, plan.items)
    return Result(out, None, plan.items, plan.parts, 0, summary=summary)


def _named_after(out: Path, others: Sequence[PartsFolder]) -> Path:
    """Return the output that the parts are named after: ``PREFIX.json`` where a verb writes several files."""
    record = out.with_name(f"{out.name}.json")
    own, of_record = PartsFolder.of(out).path, PartsFolder.of(record).path
    known = [place.name for place in (own, of_record, *(other.path for other in others)) if place.is_dir()]
    return record if own.name not in known and of_record.name in known else out


@contextmanager
def _entered(own: PartsFolder) -> Iterator[None]:
    """Holds the folder; it may have been made for this moment only, when all parts come from elsewhere."""
    with locked(own.path):
        try:
            yield
        finally:
            if not own.has_parts:
                shutil.rmtree(own.path, ignore_errors=True)


def _places(own: PartsFolder, others: list[PartsFolder]) -> dict[PartsFolder, Manifest]:
    """Every folder with its manifest; that of the output itself may be without."""
    places = {}
    for folder in [own, *others]:
        manifest = folder.manifest()
        if manifest is not None:
            places[folder] = manifest
        elif folder is not own:
            raise RunError(f"{folder.path} holds no parts of a run")
    if not places:
        raise RunError(f"{own.path} holds no parts of a run; first run the shards")
    return places


def _agreed(places: dict[PartsFolder, Manifest]) -> Manifest:
    first, *others = places.items()
    for folder, manifest in others:
        if manifest.run_id != first[1].run_id:
            differences = "; ".join(changes(first[1].fingerprint, manifest.fingerprint)) or "items of the input"
            raise RunError(f"{first[0].path} and {folder.path} are of different runs; changed: {differences}")
    return first[1]


def _sources(folders: list[PartsFolder], manifest: Manifest) -> list[PartsFolder]:
    """For every part a folder that has it whole."""
    sources: list[PartsFolder] = []
    bad: dict[PartState, list[str]] = {PartState.MISSING: [], PartState.TORN: []}
    for number in range(manifest.plan.parts):
        states = {folder.state(number, manifest.run_id): folder for folder in reversed(folders)}
        if PartState.READY in states:
            sources.append(states[PartState.READY])
        elif PartState.TORN in states:
            bad[PartState.TORN].append(states[PartState.TORN].rows_path(number).name)
        else:
            bad[PartState.MISSING].append(str(number))
    _refuse(bad, manifest.plan.parts)
    return sources


def _refuse(bad: dict[PartState, list[str]], parts: int) -> None:
    problems = []
    if missing := bad[PartState.MISSING]:
        problems.append(f"{len(missing)} of {parts} parts are missing ({_listed(missing)})")
    if torn := bad[PartState.TORN]:
        problems.append(f"{len(torn)} of {parts} parts are damaged ({_listed(torn)})")
    if problems:
        raise RunError(f"{' and '.join(problems)}; run their shards again, or the whole run with --resume")


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")


def _task(manifest: Manifest, given: Task[Any, Any] | None) -> Task[Any, Any]:
    if given is None:
        task: Task[Any, Any] = read_settings(manifest.task)
        return task
    written = write_settings(given)
    now = {**manifest.fingerprint, "task": task_name(written), "settings": without_paths(given, written)}
    if differences := changes(manifest.fingerprint, now):
        raise RunError(f"the parts are of another task; changed: {'; '.join(differences)}")
    return given
