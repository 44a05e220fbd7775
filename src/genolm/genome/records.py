"""Readers of FASTA and FASTQ records, and a writer of FASTA."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from genolm.errors import InputError
from genolm.files.lines import text_lines
from genolm.genome.sequence import LetterError

Cleaner = Callable[[str], str]
"""Converts the letters of a record, or raises `LetterError`."""


@dataclass(frozen=True, slots=True)
class FlatRecord:
    """A record of a FASTA or FASTQ file.

    Attributes:
        id: first word of the header.
        sequence: letters.
        line: line of the header, 1-based.
        about: rest of the header (FASTA only).
    """

    id: str
    sequence: str
    line: int
    about: str = ""


def read_fasta(path: Path, clean: Cleaner) -> Iterator[FlatRecord]:
    """Yield the records of a FASTA file (plain or gzip; ``-`` is standard input); lines may have any length.

    Raises:
        InputError: text before the first ``>``, a record without name or sequence, a duplicate name, a letter that
            ``clean`` rejects, or an empty or damaged file.
    """
    seen: dict[str, int] = {}
    for line, title, parts in _fasta_parts(path):
        name = _name(title, path, line)
        if name in seen:
            message = f"duplicate record name (first in line {seen[name]})"
            raise InputError(message, file=path, line=line, value=name)
        seen[name] = line
        about = title.partition(name)[2].strip()
        yield FlatRecord(name, _joined(parts, clean, path, line, name), line, about)
    if not seen:
        raise InputError("the FASTA file is empty", file=path, code="empty-input")


def read_fastq(path: Path, clean: Cleaner) -> Iterator[FlatRecord]:
    """Yield the reads of a FASTQ file, four lines each, without qualities; names may be duplicated.

    Raises:
        InputError: an invalid or truncated record, qualities of a different length than the bases, a letter that
            ``clean`` rejects, or an empty or damaged file.
    """
    lines = ((number, line) for number, line in text_lines(path))
    start = 0
    for start, title in lines:
        if not title:
            continue
        if not title.startswith("@"):
            raise InputError("not FASTQ: a record must start with '@'", file=path, line=start, value=title[:40])
        letters, plus, qualities = (next(lines, (start, None))[1] for _ in range(3))
        if letters is None or plus is None or qualities is None:
            raise InputError(
                "the last record is truncated: a FASTQ record has four lines",
                file=path,
                line=start,
                code="damaged-file",
            )
        if not plus.startswith("+"):
            message = "the third line of a record must start with '+'"
            raise InputError(message, file=path, line=start + 2, value=plus[:40])
        if len(letters) != len(qualities):
            raise InputError(f"{len(qualities)} qualities for {len(letters)} bases", file=path, line=start + 3)
        name = _name(title[1:], path, start)
        yield FlatRecord(name, _joined([letters], clean, path, start, name), start)
    if not start:
        raise InputError("the FASTQ file is empty", file=path, code="empty-input")


def fasta_lines(header: str, sequence: str, width: int = 80) -> Iterator[str]:
    """Yield the lines of a FASTA record, line ends included.

    Args:
        header: the header line without ``>``.
        sequence: letters of the record.
        width: letters per line.
    """
    yield f">{header}\n"
    yield from (f"{sequence[start : start + width]}\n" for start in range(0, len(sequence), width))


def _fasta_parts(path: Path) -> Iterator[tuple[int, str, list[str]]]:
    start, title, parts = 0, "", list[str]()
    for number, line in text_lines(path):
        if line.startswith(">"):
            if start:
                yield start, title, parts
            start, title, parts = number, line[1:], []
        elif start:
            parts.append(line.strip())
        elif line.strip():
            raise InputError("not FASTA: a record must start with '>'", file=path, line=number, value=line[:40])
    if start:
        yield start, title, parts


def _name(title: str, path: Path, line: int) -> str:
    words = title.split(maxsplit=1)
    if not words:
        raise InputError("the record has no name", file=path, line=line)
    return words[0]


def _joined(parts: list[str], clean: Cleaner, path: Path, line: int, name: str) -> str:
    """Join and clean the sequence lines of a record."""
    letters = "".join(parts)
    if not letters:
        raise InputError("the record has no sequence", file=path, line=line, value=name)
    try:
        return clean(letters)
    except LetterError as error:
        row, before = 0, 0
        while before + len(parts[row]) <= error.position:
            before += len(parts[row])
            row += 1
        raise error.at(file=path, line=line + 1 + row) from None
