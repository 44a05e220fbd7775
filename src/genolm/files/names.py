"""File names: temporary names, length limits, and names that other libraries cannot open."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from genolm.errors import InputError

MARK = ".partial-"
_LONGEST = 255  # bytes of a file name if the file system does not report its limit
_KEPT = 64  # trailing bytes that a shortened name keeps, for its suffixes


def partial_path(path: Path) -> Path:
    """Return a new temporary path for ``path``: same folder, same suffixes, within the length limit."""
    return path.with_name(f"{MARK}{secrets.token_hex(4)}-{_fitting(path)}")


def partial_paths(path: Path) -> list[Path]:
    """Return temporary files that killed processes left for ``path``."""
    ending = f"-{_fitting(path)}"
    length = len(MARK) + 8 + len(ending)
    try:
        return [file for file in path.parent.iterdir() if _is_partial(file.name, ending, length)]
    except OSError:
        return []


def through_link(path: Path) -> Path:
    """Return the target of a symbolic link; any other path is returned as it is."""
    return Path(os.path.realpath(path)) if os.path.islink(path) else path  # noqa: PTH114  see is_folder


def is_folder(path: Path | str) -> bool:
    """Return whether the path is a folder; False if that cannot be determined (no rights, an invalid name)."""
    return os.path.isdir(path)  # noqa: PTH112  pathlib raises errors then


def is_file(path: Path | str) -> bool:
    """Return whether the path is a regular file; False if that cannot be determined."""
    return os.path.isfile(path)  # noqa: PTH113  pathlib raises errors then


def longest_name(folder: Path) -> int:
    """Return the maximum length of a file name in ``folder``, in bytes."""
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (OSError, ValueError):
        return _LONGEST


def name_bytes(path: Path) -> int:
    """Return the length of the last component of a path in bytes, the length that file systems limit."""
    return len(os.fsencode(path.name))


def is_utf8(path: Path) -> bool:
    """Return whether the path is valid UTF-8, as htslib, polars and HDF5 require."""
    return not any("\ud800" <= letter <= "\udfff" for letter in str(path))


def check_openable(path: Path) -> None:
    """Raise `InputError` if the path is not UTF-8, so that htslib, polars or HDF5 cannot open the file."""
    if not is_utf8(path):
        raise InputError("the file name is not valid UTF-8; rename the file or folder", file=path)


def as_argument(path: Path) -> str:
    """Return a path as a program argument; a leading dash would be read as an option."""
    return f"./{path}" if str(path).startswith("-") else str(path)


def shown_path(path: Path | str) -> str:
    """Return a printable path, with bytes that are not UTF-8 as ``\\xe9``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _fitting(path: Path) -> str:
    """Return the name; if it is too long for a prefix and a suffix, a digest and the end of the name."""
    name = path.name
    if len(os.fsencode(name)) + len(MARK) + 9 + len(".vcf.tbi") <= longest_name(path.parent):
        return name
    digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    return digest + os.fsencode(name)[-_KEPT:].decode("utf-8", "ignore")


def _is_partial(name: str, ending: str, length: int) -> bool:
    return len(name) == length and name.startswith(MARK) and name.endswith(ending)
