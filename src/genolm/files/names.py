"""Names of files: temporary ones that fit beside the final one, and names that other libraries cannot open."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from genolm.errors import InputError

MARK = ".partial-"
_LONGEST = 255  # bytes of a file name, where the file system does not tell
_KEPT = 64  # bytes of the end of a shortened name, so that its suffixes stay


def partial_path(path: Path) -> Path:
    """Return a new path beside ``path`` for its unfinished content: same folder, same suffixes, never too long."""
    return path.with_name(f"{MARK}{secrets.token_hex(4)}-{_fitting(path)}")


def partial_paths(path: Path) -> list[Path]:
    """Return the unfinished files that killed processes left for ``path``."""
    ending = f"-{_fitting(path)}"
    length = len(MARK) + 8 + len(ending)
    try:
        names = os.listdir(path.parent)
    except OSError:
        return []
    return [path.with_name(name) for name in names if _is_partial(name, ending, length)]


def through_link(path: Path) -> Path:
    """Return the file that a symbolic link points to, so that it is written and the link stays; else ``path``."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def longest_name(folder: Path) -> int:
    """Return the bytes that the name of a file in ``folder`` can have."""
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (OSError, ValueError):
        return _LONGEST


def name_bytes(path: Path) -> int:
    """Return the length of the last component of a path in bytes, which is what file systems limit."""
    return len(os.fsencode(path.name))


def is_utf8(path: Path) -> bool:
    """Return whether the path is valid UTF-8; htslib, polars and HDF5 open no other."""
    return not any("\ud800" <= letter <= "\udfff" for letter in str(path))


def check_openable(path: Path) -> None:
    """Raise `InputError` where htslib, polars or HDF5 cannot open a file because its name is not UTF-8."""
    if not is_utf8(path):
        raise InputError("the name is not valid UTF-8; rename the file or folder", file=path)


def shown_path(path: Path | str) -> str:
    """Return a path that can be printed: bytes that are not UTF-8 are written as ``\\xe9``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _fitting(path: Path) -> str:
    """The name itself; of one that leaves no room for what is added to it, a digest and its end."""
    name = path.name
    if len(os.fsencode(name)) + len(MARK) + 9 + len(".vcf.tbi") <= longest_name(path.parent):
        return name
    digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    return digest + os.fsencode(name)[-_KEPT:].decode("utf-8", "ignore")


def _is_partial(name: str, ending: str, length: int) -> bool:
    return len(name) == length and name.startswith(MARK) and name.endswith(ending)
