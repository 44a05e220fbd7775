"""Errors of commands: one line on standard error and an exit code instead of a traceback."""

from __future__ import annotations

import errno
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import typer

from genolm.cli.text import as_option
from genolm.errors import GenolmError, ResourceError, RunError
from genolm.files.disk import is_disk_full
from genolm.files.names import shown_path
from genolm.remedies import Notice

INTERRUPTED = 130  # 128 + SIGINT
BROKEN_PIPE = 141  # 128 + SIGPIPE, as for other Unix tools

_SYSTEM_ERRORS = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EIO,
    errno.ESTALE, errno.EMFILE, errno.ENFILE, errno.ETXTBSY, errno.ENXIO,
)  # fmt: skip
"""Errors of the operating system that any file can cause; they are not bugs of genolm."""

_BUG = (
    "This is a bug in genolm. Please report it with the command and the output of `genolm doctor`; "
    "set GENOLM_DEBUG=1 to see the full traceback."
)


def with_error_messages(function: Callable[..., None], *, resumable: bool = False) -> Callable[..., None]:
    """Turn the errors of a command into messages and exit codes.

    Args:
        function: function of a command.
        resumable: whether the command has ``--resume``; the message of an interrupted run then mentions it.

    Returns:
        A function with the same signature that raises only ``typer.Exit`` and usage errors.
    """

    @wraps(function)
    def command(*args: Any, **settings: Any) -> None:
        try:
            with _plain_warnings():
                function(*args, **settings)
            sys.stdout.flush()  # report a closed pipe here rather than at interpreter exit
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except KeyboardInterrupt as stop:
            raise _interrupted(_shown(stop), resumable) from None
        except BrokenPipeError:
            raise _broken_pipe() from None
        except Exception as error:
            raise _failed(error) from None

    return command


def _shown(raised: BaseException | str) -> str:
    """Return the text of an error or a warning, with arguments as options."""
    if isinstance(raised, GenolmError):
        return raised.written(as_option)
    first = raised.args[0] if isinstance(raised, BaseException) and raised.args else None
    return first.written(as_option) if isinstance(first, Notice) else str(raised)


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Print warnings as one line, without the source location."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: typer.echo(f"warning: {_shown(message)}", err=True)
        yield


def _failed(error: Exception) -> typer.Exit:
    if os.environ.get("GENOLM_DEBUG", "") not in ("", "0"):
        traceback.print_exception(error)
    if isinstance(error, GenolmError):
        return _exit(f"error: {_shown(error)}", error.exit_code)
    if is_disk_full(error):
        return _exit(f"error: the disk is full: {error}", ResourceError.exit_code)
    if isinstance(error, OSError) and error.filename is not None and error.errno in _SYSTEM_ERRORS:
        return _exit(f"error: {error.filename}: {os.strerror(error.errno)}", RunError.exit_code)
    if isinstance(error, MemoryError):
        return _exit("error: out of memory; try a smaller --batch-tokens or --context", ResourceError.exit_code)
    return _exit(f"error: unexpected {type(error).__name__}{_location(error)}: {error}\n{_BUG}", GenolmError.exit_code)


def _location(error: Exception) -> str:
    """Return where in genolm the error occurred, as `` (file.py:12)``; empty if unknown."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "genolm" in Path(frame.filename).parts]
    return f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""


def _interrupted(message: str, resumable: bool) -> typer.Exit:
    """Print how to continue: the message of the run, or a general hint."""
    hint = message or ("to continue, run the same command with --resume" if resumable else "")
    return _exit(f"interrupted: {hint}" if hint else "interrupted", INTERRUPTED)


def _broken_pipe() -> typer.Exit:
    # The interpreter flushes stdout again at exit, which would raise the same error.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return typer.Exit(BROKEN_PIPE)


def _exit(message: str, code: int) -> typer.Exit:
    typer.echo(shown_path(message), err=True)
    return typer.Exit(code)
