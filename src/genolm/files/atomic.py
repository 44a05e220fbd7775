"""Atomic writing: to a temporary file in the same folder, flushed to disk, then renamed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from genolm.errors import ResourceError, RunError
from genolm.files.disk import is_disk_full
from genolm.files.names import partial_path, partial_paths, through_link
from genolm.remedies import Remedy


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Provide a temporary path to write to (same folder, same suffixes), which replaces ``path`` on success.

    On any error the temporary file is removed and ``path`` is unchanged. It works for files and for folders such as
    zarr. If ``path`` is a symbolic link, its target is replaced and the link is kept.

    Raises:
        ResourceError: the disk is full.
    """
    target = through_link(path)
    partial = partial_path(target)
    try:
        with disk_full_named(path):
            yield partial
            _replace(partial, target)
    finally:
        remove(partial)


@contextmanager
def disk_full_named(path: Path) -> Iterator[None]:
    """Raise `ResourceError` for any error of the operating system or polars that means a full disk."""
    try:
        yield
    except Exception as error:
        if is_disk_full(error):
            raise ResourceError(
                f"{path}: the disk is full; finished parts are kept",
                code="disk-full",
                remedy=Remedy("resume", True, "continue when there is space"),
            ) from error
        raise


def make_folder(folder: Path, *, there: bool = False, named: Path | None = None) -> None:
    """Create a folder.

    Args:
        folder: path of the folder.
        there: whether the folder may exist already.
        named: path to show in errors. Default: ``folder``.

    Raises:
        RunError: the folder cannot be created.
        OSError: the disk is full; see :func:`disk_full_named`.
    """
    try:
        folder.mkdir(exist_ok=there)
    except OSError as error:
        if is_disk_full(error):
            raise
        raise RunError(f"{named or folder} cannot be created: {error.strerror}", code="unwritable-output") from error


def write_text(path: Path, text: str) -> None:
    """Write a small text file atomically."""
    with atomic_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def sweep(path: Path) -> None:
    """Remove temporary files that killed processes left for ``path``; no other process may be writing it."""
    for partial in partial_paths(through_link(path)):
        remove(partial)


def _replace(partial: Path, path: Path) -> None:
    if partial.is_dir():
        if path.exists():
            remove(path)
    else:
        _flush(partial)
    partial.replace(path)
    with suppress(OSError):  # some network file systems cannot flush folders
        _flush(path.parent)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file, or a folder with its content, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
