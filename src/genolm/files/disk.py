"""Detection of a full disk."""

from __future__ import annotations

import errno

_FULL = (errno.ENOSPC, errno.EDQUOT)


def is_disk_full(error: BaseException) -> bool:
    """Return whether an error means that no space or quota is left (polars reports it in the message only)."""
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    return any(f"{word} {number}" in str(error).lower() for word in ("os error", "errno") for number in _FULL)
