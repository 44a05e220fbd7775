"""Output of a run: checks of its path, and atomic assembly from the parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from genolm.engine.parts import ASSEMBLING, MANIFEST, PartsFolder
from genolm.engine.summary import FOLDER_MARK, Summary, Tally, note_missing_results, write_counts
from genolm.errors import RunError
from genolm.files.atomic import disk_full_named, remove, sweep
from genolm.files.names import is_folder
from genolm.files.output_paths import check_output_path, refuse_replacing
from genolm.remedies import Remedy

if TYPE_CHECKING:
    import polars as pl

    from genolm.engine.task import AnyTask

INDEXES = (".tbi", ".csi")
"""Suffixes of the index files that may exist next to a VCF or BCF; they are removed when it is replaced."""

_REMOVED_LAST = (MANIFEST, ASSEMBLING)  # they identify the output of a killed run


def check_target(out: Path, *, overwrite: bool, resume: bool = False, run: Path | None = None) -> None:
    """Raise an error if an output cannot be written, or exists and must not be replaced.

    A resumed run may replace an output that it was writing, or was allowed to overwrite, when it was killed.

    Args:
        out: path of the output.
        overwrite: whether an existing output may be replaced.
        resume: whether a killed run is resumed.
        run: output that the parts folder is named after, if the run writes several; None for ``out``.

    Raises:
        RunError: the folder does not exist or is not writable, the name is too long or not UTF-8, or the output is a
            device, a foreign folder, or an existing file.
    """
    check_output(out, out.name if run else f"{out.name}.parts")
    if out.exists() and not overwrite and not (resume and _belongs_to_run(PartsFolder.of(run or out))):
        raise RunError(f"{out} exists", code="output-exists", remedy=Remedy("overwrite", True, "replace it"))


def check_output(out: Path, longest: str) -> None:
    """Raise an error if no output can be written at a path, whether or not it exists.

    Args:
        out: path of the output.
        longest: longest file name that will be created next to it.

    Raises:
        RunError: the path is standard output (``-``), or :func:`check_target` refuses it even with ``overwrite``.
    """
    if str(out) == "-":
        raise RunError("cannot write to standard output here; name a file or folder")
    if is_folder(out) and out.suffix.lower() != ".zarr" and not (out / FOLDER_MARK).is_file():
        raise RunError(f"{out} is a folder; choose another output", code="foreign-output")
    check_output_path(out, longest)


def check_side_files(out: Path, side_files: Iterable[Path], *, overwrite: bool, resume: bool = False) -> None:
    """Raise an error if a file next to the output cannot be written, or exists and must not be replaced.

    Args:
        out: path of the output.
        side_files: paths of the files next to it.
        overwrite: whether existing files may be replaced.
        resume: whether a killed run is resumed, which may have written them.

    Raises:
        RunError: as in :func:`check_target`, for each of them.
    """
    for path in side_files:
        check_target(path, overwrite=overwrite, resume=resume, run=out)


def refuse_inputs(task: AnyTask, out: Path) -> None:
    """Raise an error if the run would replace a file that it reads, possibly under another name.

    Raises:
        RunError: the output, or a file next to it, is one of the task's inputs.
    """
    refuse_replacing(task.inputs(), out, *side_files(task, out))


def side_files(task: AnyTask, out: Path) -> tuple[Path, ...]:
    """Return the files that the task writes next to its output, if any."""
    method = getattr(task, "side_files", None)
    return () if method is None else tuple(method(out))


def companions(task: AnyTask, out: Path) -> tuple[Path, ...]:
    """Return all files that may belong to an output: its side files, and the indexes of a VCF or BCF."""
    return (*side_files(task, out), *(out.with_name(f"{out.name}{ending}") for ending in INDEXES))


def assemble(
    task: AnyTask,
    frames: Iterator[pl.DataFrame],
    folder: PartsFolder,
    out: Path,
    items: int,
    *,
    keep: bool = False,
) -> Summary:
    """Let the task write the output, then remove the parts, or keep them for analyses.

    Args:
        task: task that computed the parts.
        frames: rows of the parts.
        folder: folder of the parts.
        out: path of the output.
        items: number of input items.
        keep: whether the parts stay.

    Returns:
        Summary of the run, which is also written to the provenance file.

    Raises:
        ResourceError: the disk is full; the parts are kept.
        RunError: the task wrote no output.
    """
    (folder.path / ASSEMBLING).touch()
    for path in (out, *companions(task, out)):
        sweep(path)
    summary = write(task, frames, out, items)
    if keep:
        folder.complete()
    else:
        _remove_parts(folder.path)
    note_missing_results(summary)
    return summary


def write(task: AnyTask, frames: Iterator[pl.DataFrame], out: Path, items: int) -> Summary:
    """Let the task write the output, and write the counts of its rows to the provenance file.

    Raises:
        ResourceError: the disk is full.
        RunError: the task wrote no output.
    """
    tally = Tally(task, items)
    with disk_full_named(out):
        task.assemble(tally.counted(frames), out)
        if not out.exists():
            raise RunError(f"task {task.name} did not write {out}; the parts are kept in {PartsFolder.of(out).path}")
        summary = tally.summary(out)
        write_counts(task, out, summary)
    return summary


def _remove_parts(folder: Path) -> None:
    """Remove the parts. On NFS the open lock file keeps the folder until it is closed; `locked` removes it then."""
    for path in sorted(folder.iterdir(), key=lambda path: path.name in _REMOVED_LAST):
        remove(path)
    with suppress(OSError):
        folder.rmdir()


def _belongs_to_run(folder: PartsFolder) -> bool:
    manifest = folder.manifest()
    return manifest is not None and (manifest.overwrite or (folder.path / ASSEMBLING).exists())
