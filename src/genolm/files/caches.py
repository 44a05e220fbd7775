"""Per-user cache folders for files that can be recreated or downloaded again."""

from __future__ import annotations

import os
import stat
import tempfile
from functools import cache
from pathlib import Path

from genolm.errors import ResourceError


def user_cache() -> Path:
    """Return the cache folder, XDG_CACHE_HOME or ``~/.cache``; it may not exist yet.

    Without a home folder (no passwd entry and no HOME, as in many containers) it is a private folder in the temporary
    folder.

    Raises:
        ResourceError: neither a home folder nor a usable temporary folder exists.
    """
    if named := os.environ.get("XDG_CACHE_HOME"):
        return expanded(named)
    try:
        return Path.home() / ".cache"
    except RuntimeError:
        return temporary_cache()


def temporary_cache() -> Path:
    """Create and return a private folder of this user in the temporary folder.

    Raises:
        ResourceError: no temporary folder is writable.
    """
    try:
        folder = Path(tempfile.gettempdir()) / f"genolm-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder if _is_private(folder) else _fresh()
    except OSError as error:
        raise ResourceError(
            f"no usable folder for temporary files ({error.strerror}); set TMPDIR or XDG_CACHE_HOME"
        ) from error


def expanded(folder: str) -> Path:
    """Return a folder named by an environment variable, ``~`` expanded if there is a home folder."""
    return Path(os.path.expanduser(folder))  # noqa: PTH111  pathlib raises an error without a home folder


def _is_private(folder: Path) -> bool:
    """Whether no other user can write to the folder."""
    status = folder.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o022


@cache
def _fresh() -> Path:
    return Path(tempfile.mkdtemp(prefix="genolm-"))
