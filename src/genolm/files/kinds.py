"""Detection of unsupported file types by file name and first bytes."""

from __future__ import annotations

from pathlib import Path

from genolm.errors import InputError
from genolm.files.pointers import REMEDY, is_pointer

BOM = b"\xef\xbb\xbf"
"""UTF-8 byte order mark."""
HEAD = 512
"""Number of leading bytes that identify a file type."""

_PACKED = (
    (".zip", b"PK\x03\x04", "zip", "unzip"),
    (".zst", b"\x28\xb5\x2f\xfd", "zstd", "zstd -d"),
    (".bz2", b"BZh", "bzip2", "bunzip2"),
    (".xz", b"\xfd7zXZ\x00", "xz", "unxz"),
    (".7z", b"7z\xbc\xaf\x27\x1c", "7-Zip", "7z x"),
    (".lz4", b"\x04\x22\x4d\x18", "lz4", "lz4 -d"),
)
_ARCHIVES = (".tar", ".tar.gz", ".tgz")
_ENCODINGS = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
_PAGES = (b"<!doctype html", b"<html", b"<head", b"<?xml")
_TWO_BIT = (b"\x43\x27\x41\x1a", b"\x1a\x41\x27\x43")
_PDF = b"%PDF-"


def check_kind(head: bytes, path: Path) -> None:
    """Raise `InputError` if the first bytes of a file show an unsupported file type.

    Args:
        head: first `HEAD` bytes, decompressed; fewer for a shorter file.
        path: the file, for the message.

    Raises:
        InputError: the file is a Git LFS pointer, a web page, an archive, compressed in another way than gzip, UTF-16
            or UTF-32 text, a 2bit or PDF file; the message names the remedy.
    """
    if message := _foreign(head):
        raise InputError(message, file=path)


def check_packing(path: Path) -> None:
    """Raise `InputError` if a file extension is that of an archive or of compression other than gzip.

    Args:
        path: the file; it does not have to exist.

    Raises:
        InputError: the extension is one of these; the message names the command that decompresses the file.
    """
    name = path.name.lower()
    for ending, _, kind, command in _PACKED:
        if name.endswith(ending):
            raise InputError(_unpack(kind, command), file=path)
    if name.endswith(_ARCHIVES):
        raise InputError("the file is a tar archive; extract it with tar -xf and pass the file inside", file=path)


def is_packed(path: Path) -> bool:
    """Return whether a file extension is one that `check_packing` rejects."""
    return path.name.lower().endswith((*_ARCHIVES, *(ending for ending, *_ in _PACKED)))


def _unpack(kind: str, command: str) -> str:
    return f"{kind} compression is not supported (plain, gzip and bgzip are); decompress it with {command}"


def _foreign(head: bytes) -> str:
    """Return why the file is not supported, with the remedy; empty if it may be."""
    if is_pointer(head):
        return REMEDY
    for _, magic, kind, command in _PACKED:
        if head.startswith(magic):
            return _unpack(kind, command)
    for mark, encoding in _ENCODINGS:
        if head.startswith(mark):
            return f"the text is {encoding}; convert it to UTF-8: iconv -f {encoding} -t UTF-8 FILE > NEW_FILE"
    if head.removeprefix(BOM).lstrip()[:20].lower().startswith(_PAGES):
        return "the file is a web page (HTML or XML), not data: the download failed or the link leads to a page"
    if head.startswith(_TWO_BIT):
        return "the file is in 2bit format; convert it to FASTA with twoBitToFa"
    return "the file is a PDF document, not data" if head.startswith(_PDF) else ""


def check_line_ends(head: bytes, path: Path) -> None:
    """Raise `InputError` if the lines of a text end in carriage returns only.

    Args:
        head: first bytes, decompressed.
        path: the file, for the message.
    """
    if b"\r" in head.rstrip(b"\r") and b"\n" not in head:
        raise InputError(
            "lines end in carriage returns only (old Mac); convert the file: tr '\\r' '\\n' < FILE > NEW_FILE",
            file=path,
        )
