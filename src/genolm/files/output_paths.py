"""Checks of the paths that a run writes."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from genolm.errors import RunError
from genolm.files.names import is_folder, is_utf8, longest_name, name_bytes, through_link

_DEVICE_FOLDERS = ("/dev", "/dev/fd", "/proc/self/fd")


def check_output_path(out: Path, longest: str) -> None:
    """Raise an error if no regular file or folder can be created at a path, whether or not it exists.

    Args:
        out: path of the output.
        longest: longest file name that will be created next to it.

    Raises:
        RunError: the name is too long or not UTF-8, the folder does not exist or is not writable, or the path is a
            device or pipe.
    """
    _check_name(out, longest)
    _check_folder(out, through_link(out).parent)
    _check_not_device(out)


def refuse_replacing(sources: Iterable[Path | str | None], *outputs: Path) -> None:
    """Raise an error if an output would replace an input, or a folder that contains one.

    Args:
        sources: paths of the inputs; None for an input that was not given.
        outputs: paths of the outputs.

    Raises:
        RunError: an output is one of the inputs, possibly under another name, or a folder that contains one.
    """
    inputs = [Path(source) for source in sources if source is not None]
    for out in outputs:
        for source in inputs:
            if _same(out, source):
                raise RunError(
                    f"{out} is an input of this run too ({source})",
                    code="output-is-input",
                    remedy="choose another output",
                )
            if _contains(out, source):
                raise RunError(
                    f"{out} holds an input of this run ({source})",
                    code="output-is-input",
                    remedy="choose another output",
                )


def _check_folder(out: Path, folder: Path) -> None:
    if is_folder(folder):
        if not os.access(folder, os.W_OK | os.X_OK):
            raise RunError(f"{out}: the folder {folder} cannot be written", code="unwritable-output")
    elif folder.exists():
        raise RunError(f"{out}: {folder} is a file, not a folder", code="unwritable-output")
    else:
        raise RunError(f"{out}: there is no folder {folder}", code="unwritable-output")


def _check_name(out: Path, longest: str) -> None:
    if not is_utf8(out):
        raise RunError(f"{out}: the name is not valid UTF-8; choose another output", code="unwritable-output")
    limit, length = longest_name(out.parent), name_bytes(Path(longest))
    if length > limit:
        suffix = longest.removeprefix(out.name)
        subject = f"the name with {suffix}, which a run adds," if suffix else "the name"
        raise RunError(
            f"{out}: {subject} has {length} bytes, and the file system allows {limit}; choose a shorter name",
            code="unwritable-output",
        )


def _check_not_device(out: Path) -> None:
    """Raise an error for devices and pipes: renaming a file onto /dev/null, for example, would break the system."""
    if out.parent.as_posix() in _DEVICE_FOLDERS:
        raise RunError(f"{out} is a device, not a file; choose a file as output", code="unwritable-output")
    if out.exists() and stat.S_IFMT(out.stat().st_mode) not in (stat.S_IFREG, stat.S_IFDIR):
        raise RunError(f"{out} is a pipe or device, not a file; choose a file as output", code="unwritable-output")


def _same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False


def _contains(folder: Path, path: Path) -> bool:
    """Return whether a path is inside an existing folder, links resolved."""
    return is_folder(folder) and Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
