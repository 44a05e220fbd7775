"""The output of a run: may it be written, and how it takes its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genolm.engine.parts import ASSEMBLING, MANIFEST, PartsFolder
from genolm.engine.summary import FOLDER_MARK, Summary, Tally, warn_missing_results, write_counts
from genolm.errors import RunError
from genolm.files.atomic import disk_full_named, remove, sweep
from genolm.files.names import is_folder
from genolm.files.output_paths import check_output_path, refuse_replacing

if TYPE_CHECKING:
    import polars as pl

    from genolm.engine.task import Task

INDEXES = (".tbi", ".csi")
"""Endings of the indexes that are written beside a VCF or BCF, and that never outlive it."""

_LAST = (MANIFEST, ASSEMBLING)  # while these are there, a killed run knows its own output


def check_target(out: Path, *, overwrite: bool, resume: bool = False, run: Path | None = None) -> None:
    """Refuses an output that cannot be written or that is somebody else's.

    A resumed run may replace an output that it was itself about to write, or allowed to overwrite, when it was killed.

    Args:
        out: the output.
        overwrite: whether an existing one may be replaced.
        resume: whether a killed run goes on.
        run: the output that the run's parts are named after, where it writes several; None for ``out``.

    Raises:
        RunError: when the folder does not exist or is not writable, the name is too long or not UTF-8, the output is a
            device or a folder of somebody else's, or it exists.
    """
    check_output(out, out.name if run else f"{out.name}.parts")
    if out.exists() and not overwrite and not (resume and _ours(PartsFolder.of(run or out))):
        raise RunError(f"{out} exists; --overwrite replaces it")


def check_output(out: Path, longest: str) -> None:
    """Raise an error where no file can be written, whether there is one or not.

    Args:
        out: the output.
        longest: the longest name that is needed beside it.

    Raises:
        RunError: standard output (``-``), and what :func:`check_target` refuses but an output that exists.
    """
    if str(out) == "-":
        raise RunError("cannot write to standard output here; name a file or folder")
    if is_folder(out) and out.suffix.lower() != ".zarr" and not (out / FOLDER_MARK).is_file():
        raise RunError(f"{out} is a folder; choose another output")
    check_output_path(out, longest)


def check_side_files(out: Path, side_files: Iterable[Path], *, overwrite: bool, resume: bool = False) -> None:
    """Raise an error where a file that is written beside the output cannot be, or is somebody else's.

    Args:
        out: the output.
        beside: the files beside it.
        overwrite: whether existing ones may be replaced.
        resume: whether a killed run goes on; it may have written them itself.

    Raises:
        RunError: as :func:`check_target` does, for each of them.
    """
    for path in side_files:
        check_target(path, overwrite=overwrite, resume=resume, run=out)


def refuse_inputs(task: Task[Any, Any], out: Path) -> None:
    """Raise an error where the run would replace a file that it reads, under this name or another one.

    Raises:
        RunError: when the output, or a file beside it, is one of the task's inputs.
    """
    refuse_replacing(task.inputs(), out, *side_files(task, out))


def side_files(task: Task[Any, Any], out: Path) -> tuple[Path, ...]:
    """Return the files that the task writes beside its output; most tasks write none."""
    named = getattr(task, "side_files", None)
    return () if named is None else tuple(named(out))


def assemble(
    task: Task[Any, Any], frames: Iterator[pl.DataFrame], folder: PartsFolder, out: Path, items: int
) -> Summary:
    """Lets the task write the artefact, then takes the parts away.

    Args:
        task: what wrote the parts.
        frames: their rows.
        folder: where they are.
        out: the artefact.
        items: items of the input.

    Returns:
        What the run did, which is also written to the provenance.

    Raises:
        ResourceError: when the disk is full; the parts stay.
        RunError: when the task wrote nothing.
    """
    (folder.path / ASSEMBLING).touch()
    for path in (out, *side_files(task, out), *(out.with_name(f"{out.name}{ending}") for ending in INDEXES)):
        sweep(path)
    summary = write(task, frames, out, items)
    _take_away(folder.path)
    warn_missing_results(summary)
    return summary


def write(task: Task[Any, Any], frames: Iterator[pl.DataFrame], out: Path, items: int) -> Summary:
    """Let the task write the artefact, and write the counts of its rows into the provenance.

    Raises:
        ResourceError: when the disk is full.
        RunError: when the task wrote nothing.
    """
    tally = Tally(task, items)
    with disk_full_named(out):
        task.assemble(tally.counted(frames), out)
        if not out.exists():
            raise RunError(f"task {task.name} did not write {out}; the parts are kept in {PartsFolder.of(out).path}")
        summary = tally.summary(out)
        write_counts(task, out, summary)
    return summary


def _take_away(folder: Path) -> None:
    """Remove the parts. On NFS the open lock file keeps the folder until it is closed; then `locked` removes it."""
    for place in sorted(folder.iterdir(), key=lambda place: place.name in _LAST):
        remove(place)
    with suppress(OSError):
        folder.rmdir()


def _ours(folder: PartsFolder) -> bool:
    manifest = folder.manifest()
    return manifest is not None and (manifest.overwrite or (folder.path / ASSEMBLING).exists())
