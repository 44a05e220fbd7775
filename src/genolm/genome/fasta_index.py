"""Index files of a FASTA, next to it or in the user's cache; created if needed."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pysam

from genolm.errors import InputError
from genolm.files.caches import temporary_cache, user_cache
from genolm.files.kinds import BOM
from genolm.files.lines import check_whole, compression, open_bytes, text_lines
from genolm.files.names import as_argument, check_openable, is_file, longest_name, name_bytes, partial_path
from genolm.files.state import FileState, file_state
from genolm.genome.formats import flat_form_of_line
from genolm.genome.index_check import MisfitError, check_index
from genolm.notes import note

_CHUNK = 1 << 20


def index_files(path: Path) -> tuple[Path, Path | None]:
    """Return the ``.fai`` of a FASTA and, for bgzip, its ``.gzi``; create them if they are missing or do not match.

    An index that is older than its FASTA or does not match it (see `genolm.genome.index_check`) is not changed; a new
    one is stored in the cache.

    Raises:
        InputError: the file does not support random access (see `genolm.genome.fasta.Genome`), or is truncated
            according to its index.

    Notes:
        The index next to the FASTA is recent enough but does not match.
    """
    check_openable(path)
    kind = compression(path)
    _check_readable(path, kind)
    beside = _names(Path(f"{path}"), kind)
    misfit = _misfit(path, beside)
    if misfit == "":
        return beside
    if misfit:
        note(f"{path}: its index {beside[0].name} does not match ({misfit}); a new one is stored in the cache")
    missing = not any(index is not None and is_file(index) for index in beside)
    target = beside if missing and _may_write(path.parent) and _fit(beside) else _names(_cache_name(path), kind)
    if _misfit(path, target) != "":
        _make(path, target)
        if misfit := _misfit(path, target):
            raise InputError(f"cannot be indexed, or changed meanwhile: {misfit}", file=path)
    return target


_compared: dict[tuple[FileState | None, ...], str] = {}
"""Results of `_compare` by the states of the files, cached for this process."""


def _misfit(path: Path, names: tuple[Path, Path | None]) -> str | None:
    """Return why an index does not match; empty if it does; None if it is missing or older than the FASTA.

    Raises:
        InputError: the FASTA is truncated according to its index.
    """
    if not all(_is_fresh(index, path) for index in names if index is not None):
        return None
    states = tuple(file_state(one) for one in (path, *names))
    if states not in _compared:
        _compared[states] = _compare(path, names)
    return _compared[states]


def _compare(path: Path, names: tuple[Path, Path | None]) -> str:
    try:
        check_index(path, *names)
    except MisfitError as error:
        if error.cut:
            raise InputError(
                f"{error}: the file is truncated, or its index {names[0]} belongs to another file; download the file "
                "again, or delete the index", file=path, code="damaged-file") from None  # fmt: skip
        return str(error)
    return ""


@contextmanager
def quiet_htslib() -> Iterator[None]:
    """Suppress messages of htslib, which are replaced by errors of genolm."""
    before = pysam.set_verbosity(0)
    try:
        yield
    finally:
        pysam.set_verbosity(before)


def _names(stem: Path, kind: str) -> tuple[Path, Path | None]:
    return Path(f"{stem}.fai"), Path(f"{stem}.gzi") if kind == "bgzip" else None


def _fit(names: tuple[Path, Path | None]) -> bool:
    """Whether the file system supports files with these names."""
    return all(name_bytes(name) <= longest_name(name.parent) for name in names if name is not None)


def _is_fresh(index: Path, path: Path) -> bool:
    # whole seconds: archives and copies drop fractions
    return is_file(index) and int(index.stat().st_mtime) >= int(path.stat().st_mtime)


def _may_write(folder: Path) -> bool:
    # access() always succeeds for root; a folder without any write bit must not be changed
    mode = folder.stat().st_mode
    return os.access(folder, os.W_OK) and bool(mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))


def _cache_name(path: Path) -> Path:
    status = path.stat()
    identity = f"{path.resolve()} {status.st_size} {status.st_mtime_ns}"
    key = hashlib.sha256(os.fsencode(identity)).hexdigest()[:16]
    folder = _cache_folder()
    longest = longest_name(folder) - len(f".{key}.fai")
    return folder / f"{os.fsencode(path.name)[:longest].decode('utf-8', 'ignore')}.{key}"


def _cache_folder() -> Path:
    folder = user_cache() / "genolm" / "fasta"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except OSError:
        pass
    folder = temporary_cache() / "fasta"
    folder.mkdir(exist_ok=True)
    return folder


def _check_readable(path: Path, kind: str) -> None:
    if kind == "gzip":
        raise InputError(
            f"gzip does not support random access; use bgzip: gunzip -c {path.name} | "
            f"bgzip > {path.name.removesuffix('.gz')}.bgz", file=path,
        )  # fmt: skip
    if kind == "bgzip":
        check_whole(path)
    for number, line in text_lines(path):
        if flat_form_of_line(line):
            raise InputError("a reference genome must be FASTA (plain or bgzip), not GenBank or EMBL", file=path)
        if line.strip() and not line.startswith(">"):
            raise InputError("not FASTA: a record must start with '>'", file=path, line=number, value=line[:40])
        if line.strip():
            return
    raise InputError("the FASTA file is empty", file=path, code="empty-input")


def _make(path: Path, target: tuple[Path, Path | None]) -> None:
    """Create the index atomically."""
    fresh = [None if name is None else partial_path(name) for name in target]
    arguments = ["--fai-idx", str(fresh[0])] + ([] if fresh[1] is None else ["--gzi-idx", str(fresh[1])])
    try:
        if _has_mark(path):
            _index_behind_mark(path, target[0], Path(str(fresh[0])))
        else:
            with quiet_htslib():
                pysam.faidx(as_argument(path), *arguments)
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


def _has_mark(path: Path) -> bool:
    """Whether the text starts with a byte order mark; `InputError` if it is compressed and cannot be indexed."""
    with open_bytes(path) as file:
        marked = file.read(len(BOM)) == BOM
    if marked and compression(path) == "bgzip":
        raise InputError(
            "a byte order mark is not supported in an indexed bgzip file; remove it: "
            f"bgzip -dc {path.name} | sed '1s/^\\xEF\\xBB\\xBF//' | bgzip > NEW_FILE", file=path,
        )  # fmt: skip
    return marked


def _index_behind_mark(path: Path, target: Path, index: Path) -> None:
    """Index a copy without the byte order mark, which htslib does not support, and shift all offsets."""
    copy = partial_path(target.with_name(f"{target.name}.fa"))
    try:
        with path.open("rb") as source, copy.open("wb") as plain:
            source.seek(len(BOM))
            shutil.copyfileobj(source, plain, _CHUNK)
        with quiet_htslib():
            pysam.faidx(str(copy), "--fai-idx", str(index))
        rows = [line.split(b"\t") for line in index.read_bytes().splitlines()]
        moved = [b"\t".join((*row[:2], b"%d" % (int(row[2]) + len(BOM)), *row[3:])) for row in rows]
        index.write_bytes(b"".join(row + b"\n" for row in moved))
    finally:
        copy.unlink(missing_ok=True)


def _check_complete(path: Path, index: Path) -> None:
    """Raise `InputError` if the index lacks a record: htslib drops empty records and duplicate names."""
    names = [line.split(b"\t", 1)[0] for line in index.read_bytes().splitlines()]
    if len(names) != _count_records(path) or not all(names):
        raise _explanation(path)


def _count_records(path: Path) -> int:
    count, before = 0, b"\n"
    with open_bytes(path) as file:
        before += file.read(len(BOM)).removeprefix(BOM)
        while chunk := file.read(_CHUNK):
            count += (before + chunk).count(b"\n>")
            before = chunk[-1:]
    return count


def _explanation(path: Path) -> InputError:
    """Find the line that cannot be indexed, and the reason."""
    seen: dict[str, int] = {}
    for line, header, lengths in _records(path):
        name = next(iter(header.split()), "")
        if not name:
            return InputError("the record has no name after '>'", file=path, line=line)
        if name in seen:
            return InputError(
                f"duplicate record name (first in line {seen[name]})",
                file=path,
                line=line,
                value=name,
                code="duplicate-name",
            )
        seen[name] = line
        if not any(lengths):
            return InputError("the record has no sequence", file=path, line=line, value=name)
        if flaw := _uneven(lengths):
            return InputError(flaw[1], file=path, line=line + flaw[0], value=name)
    return InputError("cannot be indexed as FASTA", file=path)


def _records(path: Path) -> Iterator[tuple[int, str, list[int]]]:
    """Yield the line number and text of every header, with the lengths of its sequence lines."""
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
    """Return the first invalid line of a record (1-based, below its header) and the reason."""
    while lengths and not lengths[-1]:
        lengths.pop()
    for row, length in enumerate(lengths, start=1):
        if not length:
            return row, "empty line inside the record, which an index does not allow"
        if length > lengths[0] or (length < lengths[0] and row < len(lengths)):
            return row, f"line of {length} letters in a record with lines of {lengths[0]}; rewrap the file"
    return None
