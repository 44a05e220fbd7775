"""Detecting that a file may have changed since it was read."""

from __future__ import annotations

from pathlib import Path

FileState = tuple[int, int, int, int]
"""Inode, size, and nanoseconds of the last change of content and of the last change of any kind."""


def file_state(path: Path | None) -> FileState | None:
    """Return the state of a file; None without a path or if there is no such file.

    The time of the last change of any kind (ctime) is part of it: a copy or an archive can set a file's modification
    time back, but not this one.
    """
    if path is None:
        return None
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
