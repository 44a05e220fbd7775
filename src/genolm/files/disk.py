"""Whether an error means that the disk is full."""

from __future__ import annotations

import errno

_FULL = (errno.ENOSPC, errno.EDQUOT)


def is_disk_full(error: BaseException) -> bool:
    """Return whether the error says that no space, or no quota, is left; polars says it in words only."""
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    return any(f"{word} {number}" in str(error).lower() for word in ("os error", "errno") for number in _FULL)
