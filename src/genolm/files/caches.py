"""Per-user folders for files that can be made or downloaded again."""

from __future__ import annotations

import os
import stat
import tempfile
from functools import cache
from pathlib import Path

from genolm.errors import ResourceError


def user_cache() -> Path:
    """Return the folder for caches: XDG_CACHE_HOME, else ``~/.cache``; it need not exist.

    Without a home folder (a user id without an entry in passwd and without HOME, as in many containers) it is a folder
    in the temporary folder that only this user can read.

    Raises:
        ResourceError: there is neither a home nor a usable temporary folder.
    """
    if named := os.environ.get("XDG_CACHE_HOME"):
        return expanded(named)
    try:
        return Path.home() / ".cache"
    except RuntimeError:
        return temporary_cache()


def temporary_cache() -> Path:
    """Return a folder in the temporary folder that belongs to this user alone, and make it.

    Raises:
        ResourceError: there is no temporary folder in which files can be made.
    """
    try:
        folder = Path(tempfile.gettempdir()) / f"genolm-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder if _is_private(folder) else _fresh()
    except OSError as error:
        raise ResourceError(
            f"no folder for temporary files can be used ({error.strerror}); set TMPDIR or XDG_CACHE_HOME"
        ) from error


def expanded(folder: str) -> Path:
    """Return a folder that a variable of the environment names; ``~`` is the home where there is one."""
    return Path(os.path.expanduser(folder))  # noqa: PTH111  pathlib's raises an error without a home


def _is_private(folder: Path) -> bool:
    """Whether nobody else could have put something in there."""
    status = folder.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o022


@cache
def _fresh() -> Path:
    return Path(tempfile.mkdtemp(prefix="genolm-"))
