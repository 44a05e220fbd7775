"""Names of files: temporary ones that fit beside the final one, and names that other libraries cannot open."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from genolm.errors import InputError

MARK = ".partial-"
_LONGEST = 255  # bytes of a file name, where the file system does not say
_KEPT = 64  # bytes of the end of a shortened name, so that its suffixes stay


def partial_path(path: Path) -> Path:
    """Return a new path beside ``path`` for its unfinished content: same folder, same suffixes, never too long."""
    return path.with_name(f"{MARK}{secrets.token_hex(4)}-{_fitting(path)}")


def partial_paths(path: Path) -> list[Path]:
    """Return the unfinished files that killed processes left for ``path``."""
    ending = f"-{_fitting(path)}"
    length = len(MARK) + 8 + len(ending)
    try:
        return [place for place in path.parent.iterdir() if _is_partial(place.name, ending, length)]
    except OSError:
        return []


def through_link(path: Path) -> Path:
    """Return the file that a symbolic link points to, so that it is written and the link stays; else ``path``."""
    return Path(os.path.realpath(path)) if os.path.islink(path) else path  # noqa: PTH114  see is_folder


def is_folder(path: Path | str) -> bool:
    """Return whether there is a folder; False where that cannot be known (no rights, an impossible name)."""
    return os.path.isdir(path)  # noqa: PTH112  pathlib's raises errors then


def is_file(path: Path | str) -> bool:
    """Return whether there is a regular file; False where that cannot be known."""
    return os.path.isfile(path)  # noqa: PTH113  pathlib's raises errors then


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


def as_argument(path: Path) -> str:
    """Return a path as an argument of a program, which takes a leading dash for an option."""
    return f"./{path}" if str(path).startswith("-") else str(path)


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
