"""The output of a run: may it be written, and how it takes its place."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genolm.engine.parts import ASSEMBLING, MANIFEST, PartsFolder
from genolm.engine.summary import FOLDER_MARK, Summary, Tally, warn_of, write_counts
from genolm.errors import RunError
from genolm.files.atomic import disk_full_named, remove, sweep
from genolm.files.names import is_folder, is_utf8, longest_name, name_bytes, through_link

if TYPE_CHECKING:
    import polars as pl

    from genolm.engine.task import Task

__all__ = [
    "FOLDER_MARK", "INDEXES", "assemble", "beside", "check_beside", "check_place", "check_target", "refuse_inputs",
    "refuse_replacing", "write",
]  # fmt: skip

INDEXES = (".tbi", ".csi")
"""Endings of the indexes that are written beside a VCF or BCF, and that never outlive it."""

_LAST = (MANIFEST, ASSEMBLING)  # while these are there, a killed run knows its own output
_DEVICES = ("/dev", "/dev/fd", "/proc/self/fd")


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
    check_place(out, out.name if run else f"{out.name}.parts")
    if out.exists() and not overwrite and not (resume and _ours(PartsFolder.of(run or out))):
        raise RunError(f"{out} exists; --overwrite replaces it")


def check_place(out: Path, longest: str) -> None:
    """Raise an error where no file can be written, whether there is one or not.

    Args:
        out: the output.
        longest: the longest name that is needed beside it.

    Raises:
        RunError: standard output (``-``), and what :func:`check_target` refuses but an output that exists.
    """
    if str(out) == "-":
        raise RunError("cannot write to standard output here; name a file or folder")
    _check_name(out, longest)
    _check_folder(out, through_link(out).parent)
    if is_folder(out) and out.suffix.lower() != ".zarr" and not (out / FOLDER_MARK).is_file():
        raise RunError(f"{out} is a folder; choose another output")
    _refuse_device(out)


def check_beside(out: Path, beside: Iterable[Path], *, overwrite: bool, resume: bool = False) -> None:
    """Raise an error where a file that is written beside the output cannot be, or is somebody else's.

    Args:
        out: the output.
        beside: the files beside it.
        overwrite: whether existing ones may be replaced.
        resume: whether a killed run goes on; it may have written them itself.

    Raises:
        RunError: as :func:`check_target` does, for each of them.
    """
    for path in beside:
        check_target(path, overwrite=overwrite, resume=resume, run=out)


def refuse_inputs(task: Task[Any, Any], out: Path) -> None:
    """Raise an error where the run would replace a file that it reads, under this name or another one.

    Raises:
        RunError: when the output, or a file beside it, is one of the task's inputs.
    """
    refuse_replacing(task.inputs(), out, *beside(task, out))


def refuse_replacing(sources: Iterable[Path | str | None], *outputs: Path) -> None:
    """Raise an error where an output would replace a file that is read, or a folder with such a file in it.

    Args:
        sources: what is read; None for an input that was not given.
        outputs: what is written.

    Raises:
        RunError: an output is one of the sources, under this name or another one, or a folder that holds one.
    """
    read = [Path(source) for source in sources if source is not None]
    for out in outputs:
        for source in read:
            if _same(out, source):
                raise RunError(f"{out} is an input of this run too ({source}); choose another output")
            if _holds(out, source):
                raise RunError(f"{out} holds an input of this run ({source}); choose another output")


def beside(task: Task[Any, Any], out: Path) -> tuple[Path, ...]:
    """Return the files that the task writes beside its output; most tasks write none."""
    named = getattr(task, "beside", None)
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
    for path in (out, *beside(task, out), *(out.with_name(f"{out.name}{ending}") for ending in INDEXES)):
        sweep(path)
    summary = write(task, frames, out, items)
    _take_away(folder.path)
    warn_of(summary)
    return summary


def write(task: Task[Any, Any], frames: Iterator[pl.DataFrame], out: Path, items: int) -> Summary:
    """Let the task write the artefact, and write the counts of its rows into the provenance.

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


def _take_away(folder: Path) -> None:
    """Remove the parts. On NFS the open lock file keeps the folder until it is closed; then `locked` removes it."""
    for place in sorted(folder.iterdir(), key=lambda place: place.name in _LAST):
        remove(place)
    with suppress(OSError):
        folder.rmdir()


def _check_folder(out: Path, folder: Path) -> None:
    if is_folder(folder):
        if not os.access(folder, os.W_OK | os.X_OK):
            raise RunError(f"{out}: the folder {folder} cannot be written")
    elif folder.exists():
        raise RunError(f"{out}: {folder} is a file, not a folder")
    else:
        raise RunError(f"{out}: there is no folder {folder}")


def _check_name(out: Path, longest: str) -> None:
    if not is_utf8(out):
        raise RunError(f"{out}: the name is not valid UTF-8; choose another output")
    most, taken = longest_name(out.parent), name_bytes(Path(longest))
    if taken > most:
        added = longest.removeprefix(out.name)
        named = f"the name with {added}, which a run adds," if added else "the name"
        raise RunError(f"{out}: {named} has {taken} bytes, and the file system allows {most}; choose a shorter name")


def _refuse_device(out: Path) -> None:
    """Replacing /dev/null by a file would break the system; a pipe or terminal cannot take a file that is renamed."""
    if out.parent.as_posix() in _DEVICES:
        raise RunError(f"{out} is a device, not a file; choose a file as output")
    if out.exists() and stat.S_IFMT(out.stat().st_mode) not in (stat.S_IFREG, stat.S_IFDIR):
        raise RunError(f"{out} is a pipe or device, not a file; choose a file as output")


def _same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False


def _holds(folder: Path, path: Path) -> bool:
    """Whether a path lies somewhere in an existing folder."""
    return is_folder(folder) and Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _ours(folder: PartsFolder) -> bool:
    manifest = folder.manifest()
    return manifest is not None and (manifest.overwrite or (folder.path / ASSEMBLING).exists())
