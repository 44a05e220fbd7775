"""The output of a run: may it be written, and how it takes its place."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genolm.engine.atomic import disk_full_named, sweep
from genolm.engine.parts import ASSEMBLING, PartsFolder
from genolm.engine.summary import FOLDER_MARK, Summary, Tally, warn_of, write_counts
from genolm.errors import RunError

if TYPE_CHECKING:
    import polars as pl

    from genolm.engine.task import Task

__all__ = ["FOLDER_MARK", "assemble", "check_target", "write"]


def check_target(out: Path, *, overwrite: bool, resume: bool = False, run: Path | None = None) -> None:
    """Refuses an output that cannot be written or that is somebody else's.

    A resumed run may replace an output that it was itself about to write, or allowed to overwrite, when it was killed.

    Args:
        out: the output.
        overwrite: whether an existing one may be replaced.
        resume: whether a killed run goes on.
        run: the output that the run's parts are named after, where it writes several; None for ``out``.

    Raises:
        RunError: when the folder is not there or not writable, or the output exists.
    """
    if not out.parent.is_dir():
        raise RunError(f"{out}: there is no folder {out.parent}")
    if not os.access(out.parent, os.W_OK):
        raise RunError(f"{out}: the folder {out.parent} cannot be written")
    if out.is_dir() and out.suffix.lower() != ".zarr" and not (out / FOLDER_MARK).is_file():
        raise RunError(f"{out} is a folder; choose another output")
    if out.exists() and not overwrite and not (resume and _ours(PartsFolder.of(run or out))):
        raise RunError(f"{out} exists; --overwrite replaces it")


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
    sweep(out)
    summary = write(task, frames, out, items)
    shutil.rmtree(folder.path)
    warn_of(summary)
    return summary


def write(task: Task[Any, Any], frames: Iterator[pl.DataFrame], out: Path, items: int) -> Summary:
    """Lets the task write the artefact, and the counts of its rows into the provenance.

    Raises:
        ResourceError: when the disk is full.
        RunError: when the task wrote nothing.
    """
    tally = Tally(task, items)
    with disk_full_named(out):
        task.assemble(tally.passing(frames), out)
        if not out.exists():
            raise RunError(f"task {task.name} did not write {out}; the parts are kept in {PartsFolder.of(out).path}")
        summary = tally.summary(out)
        write_counts(task, out, summary)
    return summary


def _ours(folder: PartsFolder) -> bool:
    manifest = folder.manifest()
    return manifest is not None and (manifest.overwrite or (folder.path / ASSEMBLING).exists())
