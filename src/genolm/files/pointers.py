"""Git LFS pointers: small text files in place of large files that were not downloaded."""

from __future__ import annotations

_START = b"version https://git-lfs"
LONGEST = 1024
"""Maximum size of a pointer in bytes."""
REMEDY = "the file is a Git LFS pointer, not the data; run git lfs pull, or download the file again"


def is_pointer(start: bytes) -> bool:
    """Return whether a file with these first bytes (at least 24) is a pointer."""
    return start.startswith(_START)
