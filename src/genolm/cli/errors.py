"""What a user sees when something goes wrong: one line on stderr and an exit code, never a half-hidden traceback."""

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

from genolm.errors import GenolmError, ResourceError, RunError
from genolm.files.disk import is_disk_full
from genolm.files.names import shown_path

INTERRUPTED = 130  # 128 + SIGINT
BROKEN_PIPE = 141  # 128 + SIGPIPE, what any other Unix tool ends with

_OF_THE_SYSTEM = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EIO,
    errno.ESTALE, errno.EMFILE, errno.ENFILE, errno.ETXTBSY, errno.ENXIO,
)  # fmt: skip
"""What the operating system may say of any file, through no fault of ours."""

_BUG = (
    "This is a bug in genolm: please report it with the command and the output of `genolm doctor`; "
    "GENOLM_DEBUG=1 shows the whole traceback."
)


def reported(verb: Callable[..., None], *, resumable: bool = False) -> Callable[..., None]:
    """The verb with its errors turned into messages and exit codes.

    Args:
        verb: the function of a command.
        resumable: whether an interrupted run can go on with ``--resume``; the message then says so.

    Returns:
        A function of the same signature that raises nothing but ``typer.Exit`` and usage errors.
    """

    @wraps(verb)
    def command(*args: Any, **settings: Any) -> None:
        try:
            with _plain_warnings():
                verb(*args, **settings)
            sys.stdout.flush()  # a closed pipe shows here rather than at interpreter exit
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except KeyboardInterrupt as stop:
            raise _interrupted(str(stop), resumable) from None
        except BrokenPipeError:
            raise _broken_pipe() from None
        except Exception as error:
            raise _failed(error) from None

    return command


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Warnings in one line without the place in the code that they come from."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: typer.echo(f"warning: {message}", err=True)
        yield


def _failed(error: Exception) -> typer.Exit:
    if os.environ.get("GENOLM_DEBUG", "") not in ("", "0"):
        traceback.print_exception(error)
    if isinstance(error, GenolmError):
        return _exit(f"error: {error}", error.exit_code)
    if is_disk_full(error):
        return _exit(f"error: the disk is full: {error}", ResourceError.exit_code)
    if isinstance(error, OSError) and error.filename is not None and error.errno in _OF_THE_SYSTEM:
        return _exit(f"error: {error.filename}: {os.strerror(error.errno)}", RunError.exit_code)
    if isinstance(error, MemoryError):
        return _exit("error: not enough memory; try a smaller --batch-tokens or --context", ResourceError.exit_code)
    return _exit(f"error: unexpected {type(error).__name__}{_place(error)}: {error}\n{_BUG}", GenolmError.exit_code)


def _place(error: Exception) -> str:
    """Where in genolm the error came from, as `` (file.py:12)``; empty when it cannot be told."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "genolm" in Path(frame.filename).parts]
    return f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""


def _interrupted(told: str, resumable: bool) -> typer.Exit:
    """What the run itself says of how to go on, or that much without it."""
    hint = told or ("the same command with --resume goes on" if resumable else "")
    return _exit(f"interrupted: {hint}" if hint else "interrupted", INTERRUPTED)


def _broken_pipe() -> typer.Exit:
    # The interpreter flushes stdout once more at exit and would complain about the pipe again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return typer.Exit(BROKEN_PIPE)


def _exit(message: str, code: int) -> typer.Exit:
    typer.echo(shown_path(message), err=True)
    return typer.Exit(code)
