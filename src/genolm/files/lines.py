"""Reading of plain and compressed text files by line, with errors that name file and line."""

from __future__ import annotations

import errno
import gzip
import io
import os
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from genolm.errors import InputError
from genolm.files.kinds import BOM, HEAD, check_kind, check_line_ends

GZIP_MAGIC = b"\x1f\x8b"
BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
"""The empty block that ends every complete bgzip file."""

_BUFFER = 1 << 18
_UNREADABLE = (errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EIO, errno.ESTALE)


def is_pipe(path: Path) -> bool:
    """Return whether a path is a named pipe, a process substitution (``/dev/fd/63``) or a device."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def compression(path: Path) -> str:
    """Return ``"plain"``, ``"gzip"`` or ``"bgzip"``, detected from the first bytes.

    Raises:
        InputError: the file does not exist, cannot be read or is a pipe.
    """
    if is_pipe(path):
        raise InputError("a pipe can be read only once; save the data to a file first", file=path)
    with explained(path), path.open("rb") as file:
        head = file.read(18)
    if not head.startswith(GZIP_MAGIC):
        return "plain"
    return "bgzip" if len(head) == 18 and head[3] & 4 and head[12:14] == b"BC" else "gzip"


def check_whole(path: Path) -> None:
    """Raise `InputError` if a bgzip file lacks its last block, i.e. was truncated between two blocks.

    (Truncation inside a block, or of plain gzip, is detected while reading.)
    """
    with explained(path), path.open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(max(0, size - len(BGZF_END)))
        if file.read() != BGZF_END:
            message = "the compressed file is truncated (the final bgzip block is missing); download it again"
            raise InputError(message, file=path)


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading and decompress gzip and bgzip; ``-`` is standard input.

    Raises:
        InputError: the file is missing, a folder, a pipe, not readable, a truncated bgzip file, standard input that was
            read before, or of an unsupported type (:func:`genolm.files.kinds.check_kind`).
    """
    with _opened(path) as file:
        check_kind(_head(file, path), path)
        yield cast(BinaryIO, file)


@contextmanager
def _opened(path: Path) -> Iterator[io.BufferedReader]:
    if str(path) == "-":
        yield _uncompressed(_standard_input())
        return
    kind = compression(path)
    if kind == "bgzip":
        check_whole(path)
    with explained(path), path.open("rb", buffering=_BUFFER) as file:
        if kind == "plain":
            yield cast(io.BufferedReader, file)
        else:
            with gzip.open(file, "rb") as inside:
                yield io.BufferedReader(cast(io.RawIOBase, inside), _BUFFER)


def _head(file: io.BufferedReader, path: Path) -> bytes:
    """Return the first bytes of a file without consuming them."""
    with explained(path):
        return file.peek(HEAD)


def byte_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield ``(line number, line)`` of a file, 1-based, without the line end (``\\n`` or ``\\r\\n``).

    Raises:
        InputError: as `open_bytes`; lines end in carriage returns only; the compression is damaged or truncated (the
            message names the last line that was read).
    """
    number = 0
    with open_bytes(path) as file, explained(path, lambda: number or None):
        check_line_ends(cast(io.BufferedReader, file).peek(HEAD), path)
        for line in file:
            number += 1
            yield number, line.rstrip(b"\r\n")


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield lines as `byte_lines`, decoded as UTF-8 (a byte order mark at the start is dropped).

    Raises:
        InputError: as `byte_lines`; a line is not UTF-8 text.
    """
    for number, line in byte_lines(path):
        yield number, decoded(line.removeprefix(BOM) if number == 1 else line, path, number)


def decoded(line: bytes, path: Path, number: int) -> str:
    """Return a line as text; raise `InputError` with file and line if it is not UTF-8 or contains a zero byte."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            "not UTF-8 text", file=path, line=number, value=line[error.start : error.start + 4], code="damaged-file"
        ) from None
    if "\0" in text:
        raise InputError("not a text file: the line contains a zero byte", file=path, line=number, code="damaged-file")
    return text


@contextmanager
def explained(path: Path, line: Callable[[], int | None] = lambda: None) -> Iterator[None]:
    """Raise `InputError` for errors of the operating system and of decompression; ``line`` is the current line."""
    try:
        yield
    except FileNotFoundError:
        raise InputError("no such file", file=path, code="file-not-found") from None
    except IsADirectoryError:
        raise InputError("expected a file, found a folder", file=path, code="unreadable-file") from None
    except PermissionError:
        raise InputError("cannot be read: permission denied", file=path, code="unreadable-file") from None
    except EOFError:
        raise InputError(
            "the compressed file is truncated; download it again", file=path, line=line(), code="damaged-file"
        ) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(
            f"the compressed file is damaged: {error}", file=path, line=line(), code="damaged-file"
        ) from None
    except OSError as error:
        if error.errno not in _UNREADABLE:
            raise
        raise InputError(
            f"cannot be read: {os.strerror(error.errno)}", file=path, line=line(), code="unreadable-file"
        ) from None


@contextmanager
def raw_stream(path: Path) -> Iterator[BinaryIO]:
    """Open standard input (``-``) or a pipe without decompression; it can be read once.

    Raises:
        InputError: it cannot be read, or standard input was read before.
    """
    if str(path) == "-":
        yield cast(BinaryIO, _standard_input())
        return
    with explained(path), path.open("rb") as file:
        yield file


_taken: list[object] = []
"""Standard input after it was opened: only one argument can read it."""


def _standard_input() -> io.BufferedReader:
    buffer = cast(io.BufferedReader, sys.stdin.buffer)
    if any(buffer is other for other in _taken):
        raise InputError("can be read only once; save the data to a file first", file="-")
    _taken[:] = [buffer]
    return buffer


def _uncompressed(buffer: io.BufferedReader) -> io.BufferedReader:
    if not buffer.peek(2).startswith(GZIP_MAGIC):
        return buffer
    return io.BufferedReader(cast(io.RawIOBase, gzip.open(buffer, "rb")), _BUFFER)


@contextmanager
def locate_errors(file: str | Path, line: int | None) -> Iterator[None]:
    """Add file and line to any `InputError` raised inside the block."""
    try:
        yield
    except InputError as error:
        raise error.at(file=file, line=line) from None
