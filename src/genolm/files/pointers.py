"""Pointers of Git LFS: small text files that are placeholders for large files until those are downloaded."""

from __future__ import annotations

_START = b"version https://git-lfs"
LONGEST = 1024
"""Bytes that a pointer has at most."""
REMEDY = "a Git LFS pointer, not the file itself; fetch it with git lfs pull, or download it again"


def is_pointer(start: bytes) -> bool:
    """Return whether a file that starts with these bytes (24 are enough) is a pointer."""
    return start.startswith(_START)
