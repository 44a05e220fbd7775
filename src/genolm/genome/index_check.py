"""Check that an index matches its FASTA, at the start and end of contigs: the time depends on the number of contigs."""

from __future__ import annotations

import mmap
import struct
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from genolm.files.kinds import BOM

_LONGEST_HEADER = 1 << 20
_LONGEST_LINE = 1 << 20
_WINDOW = 4096
"""Bytes compared line by line at the start of a contig; one line is compared in the middle and at the end."""
_SAMPLED_BLOCKS = 256
_MOST_LAST_BLOCKS = 64
_BLOCK_HEAD = struct.Struct("<4s8x2s2xH")


class MisfitError(Exception):
    """An index that does not match; the message gives the reason.

    Attributes:
        cut: whether the file ends before the last base of a contig while all contigs before it match.
    """

    def __init__(self, message: str, *, cut: bool = False) -> None:
        self.cut = cut
        super().__init__(message)


def check_index(path: Path, index: Path, block_index: Path | None) -> None:
    """Raise `MisfitError` if an index does not match its FASTA.

    Each contig must directly follow a header line with its name, its line breaks must be where the index expects them,
    and only white space may follow the last contig. In a bgzip file, the blocks at these positions and a sample of
    others must start and end where the ``.gzi`` expects them.

    Args:
        path: the FASTA.
        index: its ``.fai``.
        block_index: its ``.gzi`` if it is compressed with bgzip.
    """
    rows = _rows(index)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        text: _Text = _Plain(data) if block_index is None else _Blocks.of(data, block_index)
        before = 0
        for row in rows:
            before = _check_contig(text, row, before)
        if text.read(before, min(text.size, before + _LONGEST_HEADER)).strip():
            raise MisfitError("more sequence follows the last contig of the index")


class _Row(NamedTuple):
    """A line of a ``.fai``; positions are bytes of the uncompressed file."""

    name: bytes
    length: int
    start: int
    bases: int
    width: int

    @property
    def shown(self) -> str:
        """The name as text."""
        return self.name.decode("utf-8", "replace")


def _rows(index: Path) -> Iterator[_Row]:
    lines = [line for line in index.read_bytes().split(b"\n") if line]
    for line in lines:
        yield _row(line.split(b"\t"))
    if not lines:
        raise MisfitError("the index is empty")


def _row(columns: list[bytes]) -> _Row:
    try:
        name, *numbers = columns
        row = _Row(name, *map(int, numbers))
    except (ValueError, TypeError):
        raise MisfitError("the index is truncated or damaged") from None
    if not 0 < row.bases < row.width or row.length < 1:
        raise MisfitError("the index is truncated or damaged")
    return row


class _Text(Protocol):
    size: int

    def read(self, start: int, end: int) -> bytes:
        """Return bytes of the uncompressed file."""
        ...


def _check_contig(text: _Text, row: _Row, before: int) -> int:
    """Compare a contig with the file and return the end of its last base.

    Args:
        text: the file.
        row: the contig in the index.
        before: end of the last base of the previous contig.
    """
    full, rest = divmod(row.length - 1, row.bases)
    end = row.start + full * row.width + rest + 1
    if not before < row.start <= before + _LONGEST_HEADER:
        raise MisfitError(f"{row.shown} does not directly follow its header")
    lines = max(1, _WINDOW // row.width)
    if text.size < end:
        _check_beginning(text, row, before, lines)
        raise MisfitError(f"the file ends before the last base of {row.shown}", cut=True)
    reach = min(lines * row.width, _LONGEST_LINE) if full else _WINDOW
    head = text.read(before, min(end, row.start + reach))
    _check_header(head[: row.start - before], row, before)
    _check_lines(head[row.start - before :], row, min(lines, full))
    if full > lines:
        for line in (full // 2, full - 1):
            start = row.start + line * row.width
            _check_lines(text.read(start, min(start + row.width, start + _LONGEST_LINE)), row, 1)
        _check_lines(text.read(row.start + full * row.width, end)[-_WINDOW:], row, 0)
    return end


def _check_beginning(text: _Text, row: _Row, before: int, lines: int) -> None:
    """Compare the existing part of a truncated contig, to detect an index of another file."""
    if text.size < row.start:
        return
    _check_header(text.read(before, row.start), row, before)
    if there := min(lines, (text.size - row.start) // row.width):
        _check_lines(text.read(row.start, row.start + there * row.width), row, there)


def _check_header(between: bytes, row: _Row, before: int) -> None:
    """Check that there is only a header between two contigs."""
    header = (between if before else between.removeprefix(BOM)).lstrip()
    words = header[1:].split(None, 1)
    begins = header.startswith(b">") and (before == 0 or between[:1].isspace())
    if not begins or not header.endswith(b"\n") or header.count(b"\n") != 1 or not words or words[0] != row.name:
        raise MisfitError(f"{row.shown} does not directly follow its header")


def _check_lines(letters: bytes, row: _Row, breaks: int) -> None:
    """Check that complete lines of a contig have ``breaks`` line ends where the index expects them."""
    if row.width > _LONGEST_LINE:
        return
    if letters.count(b"\n") != breaks or letters[row.width - 1 :: row.width].count(b"\n") != breaks:
        raise MisfitError(f"the lines of {row.shown} have a different length")


class _Plain:
    """A plain file."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data, self.size = data, len(data)

    def read(self, start: int, end: int) -> bytes:
        """Return bytes of the file."""
        return self._data[start:end]


class _Blocks:
    """A bgzip file read through its ``.gzi``; every block that is read is compared with it."""

    def __init__(self, data: mmap.mmap, packed: list[int], plain: list[int]) -> None:
        self._data, self._packed, self._plain = data, packed, plain
        self._kept: dict[int, bytes] = {}
        step = max(1, len(packed) // _SAMPLED_BLOCKS)
        for number in range(0, len(packed), step):
            self._span(number)
        self.size = plain[-1] + self._last_bytes()

    @classmethod
    def of(cls, data: mmap.mmap, index: Path) -> _Blocks:
        """Open the file with the blocks of its index."""
        stored = index.read_bytes()
        numbers = np.frombuffer(stored[: len(stored) // 8 * 8], "<u8")
        if len(stored) % 16 != 8 or int(numbers[0]) != len(stored) // 16:
            raise MisfitError("the .gzi is truncated or damaged")
        starts = np.concatenate([np.zeros((1, 2), np.uint64), numbers[1:].reshape(-1, 2)]).astype(np.int64)
        if (np.diff(starts[:, 0]) <= 0).any() or (np.diff(starts[:, 1]) < 0).any() or starts[-1, 0] >= len(data):
            raise MisfitError("the .gzi belongs to another file")
        return cls(data, starts[:, 0].tolist(), starts[:, 1].tolist())

    def read(self, start: int, end: int) -> bytes:
        """Return bytes of the uncompressed file."""
        number = max(0, bisect_right(self._plain, start) - 1)
        begin = self._plain[number]
        content = self._block(number)
        while begin + len(content) < end and number + 1 < len(self._packed):
            number += 1
            content += self._block(number)
        return content[start - begin : end - begin]

    def _block(self, number: int) -> bytes:
        block = self._kept.get(number)
        if block is None:
            first, last = self._span(number)
            try:
                block = zlib.decompress(self._data[first + 18 : last - 8], -15)
            except zlib.error:
                raise MisfitError("the .gzi belongs to another file") from None
            self._kept = {other: kept for other, kept in self._kept.items() if other == number - 1} | {number: block}
        return block

    def _span(self, number: int) -> tuple[int, int]:
        """Return start and end of a block; both, and its uncompressed size, must match the index."""
        first = self._packed[number]
        last, size = self._measure(first)
        if number + 1 < len(self._packed):
            expected = (self._packed[number + 1], self._plain[number + 1] - self._plain[number])
            if (last, size) != expected:
                raise MisfitError("the .gzi belongs to another file")
        return first, last

    def _measure(self, first: int) -> tuple[int, int]:
        """Return the end and the uncompressed size of the block at a position."""
        head = self._data[first : first + 18]
        if len(head) < 18:
            raise MisfitError("the .gzi belongs to another file")
        magic, kind, size = _BLOCK_HEAD.unpack(head)
        last = first + size + 1
        if magic != b"\x1f\x8b\x08\x04" or kind != b"BC" or last > len(self._data):
            raise MisfitError("the .gzi belongs to another file")
        return last, int.from_bytes(self._data[last - 4 : last], "little")

    def _last_bytes(self) -> int:
        """Return the uncompressed size of the last block of the index and the blocks after it."""
        total, position = 0, self._packed[-1]
        for _ in range(_MOST_LAST_BLOCKS):
            if position >= len(self._data):
                return total
            position, size = self._measure(position)
            total += size
        raise MisfitError("the .gzi is truncated")
