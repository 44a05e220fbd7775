"""Locks on the folder of a run: exclusive for a run, shared by the shards of one run."""

from __future__ import annotations

import errno
import fcntl
import io
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from genolm.errors import RunError
from genolm.files.atomic import make_folder

_RUN_LOCK = "run.lock"
_UNSUPPORTED = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)


@contextmanager
def locked(folder: Path, shard: str | None = None) -> Iterator[None]:
    """Lock a folder, which is created if needed, until the block ends or the process dies.

    A run without shards and a merge lock it exclusively. Different shards lock it together, each with its own lock.

    Raises:
        RunError: another run has locked it.
    """
    try:
        with ExitStack() as stack:
            stack.enter_context(_held(folder, _RUN_LOCK, fcntl.LOCK_SH if shard else fcntl.LOCK_EX))
            if shard:
                stack.enter_context(_held(folder, f"shard-{shard.replace('/', '-of-')}.lock", fcntl.LOCK_EX))
            yield
    finally:
        with suppress(OSError):  # empty if the run is complete and the folder is on NFS: see target.assemble
            folder.rmdir()


@contextmanager
def planning(folder: Path) -> Iterator[None]:
    """Lock a folder while a shard writes the manifest; wait for other shards."""
    with _held(folder, "plan.lock", fcntl.LOCK_EX, wait=True):
        yield


@contextmanager
def read_locked(folder: Path) -> Iterator[None]:
    """Lock the folder of a finished run against runs that would change it; several readers may hold it together.

    Nothing is written, so that the folder may be read-only. Without a lock file no run has used this copy of the
    folder, and there is nothing to lock.

    Raises:
        RunError: a run has locked it.
    """
    with ExitStack() as stack:
        with suppress(FileNotFoundError):
            file = stack.enter_context((folder / _RUN_LOCK).open("rb", buffering=0))
            _lock(file, fcntl.LOCK_SH | fcntl.LOCK_NB, folder)
        yield


@contextmanager
def _held(folder: Path, name: str, kind: int, *, wait: bool = False) -> Iterator[None]:
    with _locked_file(folder, name, kind if wait else kind | fcntl.LOCK_NB) as file:
        file.truncate(0)
        if kind == fcntl.LOCK_EX:
            file.write(f"process {os.getpid()} on {socket.gethostname()}".encode())
        try:
            yield
        finally:
            file.truncate(0)  # the file stays if the parts are kept


def _locked_file(folder: Path, name: str, operation: int) -> io.FileIO:
    """Open and lock a file. A run that just ended may remove the folder between any two steps: then try again."""
    while True:
        make_folder(folder, there=True)
        try:
            file = (folder / name).open("a+b", buffering=0)
        except FileNotFoundError:
            continue
        try:
            _lock(file, operation, folder)
            if os.path.samestat(os.fstat(file.fileno()), (folder / name).stat()):
                return file
        except FileNotFoundError:
            pass
        except BaseException:
            file.close()
            raise
        file.close()


def _lock(file: io.FileIO, operation: int, folder: Path) -> None:
    try:
        fcntl.flock(file, operation)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().decode(errors="replace") or "another process"
        raise RunError(
            f"{folder}: another run is using this folder ({holder})",
            code="folder-in-use",
            remedy="wait for it or stop it",
        ) from None
    except OSError as error:
        if error.errno not in _UNSUPPORTED:  # some network file systems lack locks; parts are still written atomically
            raise
