"""The index files of a FASTA: found beside it, or made there or in the user's cache."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pysam

from genolm.errors import InputError
from genolm.genome.lines import check_whole, compression, open_bytes, text_lines

_CHUNK = 1 << 20


def index_files(path: Path) -> tuple[Path, Path | None]:
    """The ``.fai`` of a FASTA and, when it is bgzip, the ``.gzi``; made when missing or older than the FASTA.

    An index older than its FASTA is left alone and a fresh one kept in the cache.

    Raises:
        InputError: the file is no FASTA that can be read at random; see `genolm.genome.fasta.Genome`.
    """
    kind = compression(path)
    _check_readable(path, kind)
    beside = _names(Path(f"{path}"), kind)
    if all(_is_fresh(index, path) for index in beside if index is not None):
        return beside
    missing = not any(index is not None and index.exists() for index in beside)
    target = beside if missing and _may_write(path.parent) else _names(_cache_name(path), kind)
    if not all(_is_fresh(index, path) for index in target if index is not None):
        _make(path, target)
    return target


@contextmanager
def quiet_htslib() -> Iterator[None]:
    """Keeps htslib's own words off stderr where our error says it better."""
    before = pysam.set_verbosity(0)
    try:
        yield
    finally:
        pysam.set_verbosity(before)


def _names(stem: Path, kind: str) -> tuple[Path, Path | None]:
    return Path(f"{stem}.fai"), Path(f"{stem}.gzi") if kind == "bgzip" else None


def _is_fresh(index: Path, path: Path) -> bool:
    # whole seconds: archives and copies drop fractions
    return index.is_file() and int(index.stat().st_mtime) >= int(path.stat().st_mtime)


def _may_write(folder: Path) -> bool:
    # for root, access() allows what the mode forbids; a folder without any write bit is meant to stay as it is
    mode = folder.stat().st_mode
    return os.access(folder, os.W_OK) and bool(mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))


def _cache_name(path: Path) -> Path:
    status = path.stat()
    key = hashlib.sha256(f"{path.resolve()} {status.st_size} {status.st_mtime_ns}".encode()).hexdigest()[:16]
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "genolm" / "fasta"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        folder = Path(tempfile.gettempdir()) / f"genolm-fasta-{os.getuid()}"
        folder.mkdir(exist_ok=True)
    return folder / f"{path.name}.{key}"


def _check_readable(path: Path, kind: str) -> None:
    if kind == "gzip":
        raise InputError(
            f"is compressed with gzip, which cannot be read at random; use bgzip: gunzip -c {path.name} | "
            f"bgzip > {path.name.removesuffix('.gz')}.bgz", file=path,
        )  # fmt: skip
    if kind == "bgzip":
        check_whole(path)
    for number, line in text_lines(path):
        if line.startswith(("LOCUS  ", "ID   ")):
            raise InputError("is GenBank or EMBL; a reference genome must be FASTA, plain or bgzip", file=path)
        if line.strip() and not line.startswith(">"):
            raise InputError("not FASTA: a record starts with '>'", file=path, line=number, value=line[:40])
        if line.strip():
            return
    raise InputError("the FASTA file is empty", file=path)


def _make(path: Path, target: tuple[Path, Path | None]) -> None:
    """Writes the index under another name first, so that nobody meets half of it."""
    fresh = [None if name is None else name.with_name(f".{name.name}.{os.getpid()}") for name in target]
    arguments = ["--fai-idx", str(fresh[0])] + ([] if fresh[1] is None else ["--gzi-idx", str(fresh[1])])
    try:
        with quiet_htslib():
            pysam.faidx(str(path), *arguments)
        _check_complete(path, Path(str(fresh[0])))
        for made, name in zip(fresh, target, strict=True):
            if made is not None and name is not None:
                made.replace(name)
    except pysam.utils.SamtoolsError:
        raise _explanation(path) from None
    finally:
        for made in fresh:
            with suppress(OSError):
                if made is not None:
                    made.unlink(missing_ok=True)


def _check_complete(path: Path, index: Path) -> None:
    """The indexer drops a record without a sequence or with a name it has met; we count what it kept."""
    names = [line.split("\t", 1)[0] for line in index.read_text().splitlines()]
    if len(names) != _count_records(path) or not all(names):
        raise _explanation(path)


def _count_records(path: Path) -> int:
    count, before = 0, b"\n"
    with open_bytes(path) as file:
        while chunk := file.read(_CHUNK):
            count += (before + chunk).count(b"\n>")
            before = chunk[-1:]
    return count


def _explanation(path: Path) -> InputError:
    """Reads the file line by line to say which one cannot be indexed, and why."""
    seen: dict[str, int] = {}
    for line, header, lengths in _records(path):
        name = next(iter(header.split()), "")
        if not name:
            return InputError("the record has no name after '>'", file=path, line=line)
        if name in seen:
            return InputError(
                f"a record of this name stands at line {seen[name]} too", file=path, line=line, value=name
            )
        seen[name] = line
        if not any(lengths):
            return InputError("the record has no sequence", file=path, line=line, value=name)
        if flaw := _uneven(lengths):
            return InputError(flaw[1], file=path, line=line + flaw[0], value=name)
    return InputError("cannot be indexed as FASTA", file=path)


def _records(path: Path) -> Iterator[tuple[int, str, list[int]]]:
    """Yields the line number and text of every header, with the lengths of the lines below it."""
    start, header, lengths = 0, "", list[int]()
    for number, line in text_lines(path):
        if not line.startswith(">"):
            lengths.append(len(line))
            continue
        if start:
            yield start, header, lengths
        start, header, lengths = number, line[1:], []
    if start:
        yield start, header, lengths


def _uneven(lengths: list[int]) -> tuple[int, str] | None:
    """The first line of a record (1-based, below its header) that is longer or shorter than it may be, and why."""
    while lengths and not lengths[-1]:
        lengths.pop()
    for row, length in enumerate(lengths, start=1):
        if not length:
            return row, "an empty line inside the record; an indexed FASTA has none"
        if length > lengths[0] or (length < lengths[0] and row < len(lengths)):
            return row, f"this line has {length} letters where the record's first has {lengths[0]}; rewrap the file"
    return None
