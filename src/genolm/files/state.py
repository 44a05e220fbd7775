"""File states, to detect changes since a file was read."""

from __future__ import annotations

from pathlib import Path

FileState = tuple[int, int, int, int]
"""Inode, size, mtime and ctime in nanoseconds."""


def file_state(path: Path | None) -> FileState | None:
    """Return the state of a file; None without a path or if the file does not exist.

    It includes the ctime, because copying or unpacking can set the mtime back but not the ctime.
    """
    if path is None:
        return None
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
