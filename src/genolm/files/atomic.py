"""Files that are whole or not there: written beside their place, flushed to the disk, then renamed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from genolm.errors import ResourceError, RunError
from genolm.files.disk import is_disk_full
from genolm.files.names import partial_path, partial_paths, through_link


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A path to write instead of ``path``: same folder, same suffixes. On success it takes the place of ``path``.

    On any error it is removed and ``path`` stays as it was. Use it for files and, alike, for folders such as zarr.
    Where ``path`` is a symbolic link, what it points to is written and the link stays.

    Raises:
        ResourceError: when the disk is full.
    """
    place = through_link(path)
    partial = partial_path(place)
    try:
        with disk_full_named(path):
            yield partial
            _replace(partial, place)
    finally:
        remove(partial)


@contextmanager
def disk_full_named(path: Path) -> Iterator[None]:
    """Turns the operating system's and polars' ways to say that the disk is full into one ResourceError."""
    try:
        yield
    except Exception as error:
        if is_disk_full(error):
            message = f"{path}: the disk is full; what was finished is kept: free space and run again with --resume"
            raise ResourceError(message) from error
        raise


def make_folder(folder: Path, *, there: bool = False, named: Path | None = None) -> None:
    """Makes a folder.

    Args:
        folder: its path.
        there: whether it may be there already.
        named: what an error calls it; None for its own path.

    Raises:
        RunError: it cannot be made.
        OSError: the disk is full; :func:`disk_full_named` says so for what is being written.
    """
    try:
        folder.mkdir(exist_ok=there)
    except OSError as error:
        if is_disk_full(error):
            raise
        raise RunError(f"{named or folder} cannot be made: {error.strerror}") from error


def write_text(path: Path, text: str) -> None:
    """Writes a small text file atomically."""
    with atomic_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def sweep(path: Path) -> None:
    """Removes what a killed process left half-written for ``path``. Only while nobody else may be writing it."""
    for partial in partial_paths(through_link(path)):
        remove(partial)


def _replace(partial: Path, path: Path) -> None:
    if partial.is_dir():
        if path.exists():
            remove(path)
    else:
        _flush(partial)
    partial.replace(path)
    with suppress(OSError):  # some network file systems refuse to flush folders
        _flush(path.parent)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file or a whole folder, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
