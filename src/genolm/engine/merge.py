"""Merging of the shards of a run into its output, without the model."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from genolm.engine.fingerprint import changes, task_name, without_paths
from genolm.engine.interrupt import stoppable
from genolm.engine.parts import Manifest, PartsFolder, PartState
from genolm.engine.result import Result
from genolm.engine.settings import read_settings, write_settings
from genolm.engine.target import assemble, check_side_files, check_target, refuse_inputs, side_files
from genolm.engine.task import AnyTask
from genolm.errors import RunError
from genolm.files.atomic import disk_full_named
from genolm.files.locks import locked
from genolm.models.kernels.kernels import VARIABLE
from genolm.notes import note
from genolm.parameters import OutputFile, PythonOnly, Shown
from genolm.remedies import Remedy
from genolm.verbs import verb

_MAX_LISTED = 10  # parts listed in a message


@verb(example="genolm merge calls.scored.vcf.gz")
def merge(
    out: OutputFile,
    *,
    parts: Annotated[Path | str, Shown("FOLDER")] | Sequence[Annotated[Path | str, Shown("FOLDER")]] = (),
    task: Annotated[AnyTask | None, PythonOnly()] = None,
    overwrite: bool = False,
    keep_parts: bool = False,
) -> Result:
    """Join the shards of a run into one output.

    The folder of their parts is then removed; no model is needed.

    Args:
        out: The output, folder or prefix that the shards were run with.
        parts: Parts folder that is not next to the output, such as a copy from another machine; it is not changed.
        task: the task of the run; needed only if its class is not part of genolm.
        overwrite: Overwrite existing output.
        keep_parts: Keep the parts, those of other folders as copies, next to the output, to analyse them again with
            `from_` of the verb, as if the shards had been run with `keep_parts`.

    Returns:
        Path of the output, counts of items and parts, and the summary of the run.

    Raises:
        RunError: parts are missing or damaged, the folders belong to different runs, the output exists, or a run is
            still active.
        ResourceError: the disk is full.
    """
    others = [PartsFolder(Path(folder)) for folder in ([parts] if isinstance(parts, str | Path) else parts)]
    out = _output_of_parts(Path(out), others)
    home = PartsFolder.of(out)
    check_target(out, overwrite=overwrite, resume=True)
    with stoppable(), _locked_folder(home):
        manifests = _manifests(home, others)
        manifest = _common_manifest(manifests)
        sources = complete_parts(list(manifests), manifest)
        job = _task_of(manifest, task)
        refuse_inputs(job, out)
        check_side_files(out, side_files(job, out), overwrite=overwrite, resume=True)
        if keep := keep_parts or manifest.keep_parts:
            _gather(home, sources, manifest)
        frames, plan = (source.read(number) for number, source in enumerate(sources)), manifest.plan
        summary = assemble(job, frames, home, out, plan.items, keep=keep)
    return Result(out, None, plan.items, plan.parts, 0, summary=summary)


def _output_of_parts(out: Path, others: Sequence[PartsFolder]) -> Path:
    """Return the output that the parts folder is named after: ``PREFIX.json`` if a verb writes several files."""
    record = out.with_name(f"{out.name}.json")
    home, of_record = PartsFolder.of(out).path, PartsFolder.of(record).path
    known = [path.name for path in (home, of_record, *(other.path for other in others)) if path.is_dir()]
    return record if home.name not in known and of_record.name in known else out


@contextmanager
def _locked_folder(home: PartsFolder) -> Iterator[None]:
    """Lock the folder; remove it afterwards if it has no parts, since all parts may come from other folders."""
    with locked(home.path):
        try:
            yield
        finally:
            if not home.has_parts:
                shutil.rmtree(home.path, ignore_errors=True)


def _manifests(home: PartsFolder, others: list[PartsFolder]) -> dict[PartsFolder, Manifest]:
    """Return every folder with its manifest; the output's own folder may be without."""
    manifests = {}
    for folder in [home, *others]:
        manifest = folder.manifest()
        if manifest is not None:
            manifests[folder] = manifest
        elif folder is not home:
            raise RunError(f"{folder.path} holds no parts of a run", code="no-run")
    if not manifests:
        raise RunError(f"{home.path} holds no parts of a run", code="no-run", remedy="run the shards first")
    return manifests


def _common_manifest(manifests: dict[PartsFolder, Manifest]) -> Manifest:
    first, *others = manifests.items()
    if any(manifest.compute.kernels != first[1].compute.kernels for _, manifest in others):
        note(f"the shards selected different kernels, so last digits may differ between them; {VARIABLE} pins kernels")
    for folder, manifest in others:
        if manifest.run_id != first[1].run_id:
            differences = "; ".join(first[1].changes(manifest))
            raise RunError(
                f"{first[0].path} and {folder.path} belong to different runs; changed: {differences}", code="other-run"
            )
    return first[1]


def _gather(home: PartsFolder, sources: Sequence[PartsFolder], manifest: Manifest) -> None:
    """Copy manifest and parts of other folders into the output's own."""
    with disk_full_named(home.path):
        home.write_manifest(manifest)
        for number, source in enumerate(sources):
            if source != home:
                home.copy(number, source)


def complete_parts(folders: Sequence[PartsFolder], manifest: Manifest) -> list[PartsFolder]:
    """Return, for every part, a folder that contains it complete; every part is read and verified.

    Raises:
        RunError: parts are missing or damaged.
    """
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
        problems.append(f"{len(missing)} of {parts} parts are missing ({_abbreviated(missing)})")
    if torn := bad[PartState.TORN]:
        problems.append(f"{len(torn)} of {parts} parts are damaged ({_abbreviated(torn)})")
    if problems:
        raise RunError(
            " and ".join(problems),
            code="parts-missing",
            remedy=("run their shards again", Remedy("resume", True, "complete the run in one process")),
        )


def _abbreviated(names: list[str]) -> str:
    return ", ".join(names[:_MAX_LISTED]) + (", …" if len(names) > _MAX_LISTED else "")


def _task_of(manifest: Manifest, task_given: AnyTask | None) -> AnyTask:
    if task_given is None:
        task: AnyTask = read_settings(manifest.task)
        return task
    written = write_settings(task_given)
    now = {**manifest.fingerprint, "task": task_name(written), "settings": without_paths(task_given, written)}
    if differences := changes(manifest.fingerprint, now):
        raise RunError(f"the parts belong to another task; changed: {'; '.join(differences)}", code="other-run")
    return task_given
