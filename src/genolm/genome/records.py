"""Whole sequences out of FASTA and FASTQ files, read once from front to back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from genolm.errors import InputError
from genolm.files.lines import text_lines
from genolm.genome.sequence import LetterError

Cleaner = Callable[[str], str]
"""Turns letters as they were read into the letters to use, or raises `LetterError`."""


@dataclass(frozen=True, slots=True)
class FlatRecord:
    """A named sequence of a file.

    Attributes:
        id: the first word of its title line.
        sequence: its letters.
        line: line of its title, 1-based.
        about: what follows the first word of the title; of FASTA alone.
    """

    id: str
    sequence: str
    line: int
    about: str = ""


def read_fasta(path: Path, clean: Cleaner) -> Iterator[FlatRecord]:
    """Yields the records of a FASTA file (also gzip; ``-`` is standard input); lines may have any length.

    Raises:
        InputError: with file and line: text before the first ``>``, a record without a name or a sequence, a name
            met before, a letter that ``clean`` refuses, an empty or damaged file.
    """
    seen: dict[str, int] = {}
    for line, title, parts in _fasta_parts(path):
        name = _name(title, path, line)
        if name in seen:
            raise InputError(f"a record of this name stands at line {seen[name]} too", file=path, line=line, value=name)
        seen[name] = line
        about = title.partition(name)[2].strip()
        yield FlatRecord(name, _joined(parts, clean, path, line, name), line, about)
    if not seen:
        raise InputError("the FASTA file is empty", file=path)


def read_fastq(path: Path, clean: Cleaner) -> Iterator[FlatRecord]:
    """Yields the reads of a FASTQ file, four lines each; qualities are not kept, names may repeat.

    Raises:
        InputError: with file and line: a record that is not four lines of the format, qualities of another length, a
            letter that ``clean`` refuses, an empty or damaged file.
    """
    lines = ((number, line) for number, line in text_lines(path))
    start = 0
    for start, title in lines:
        if not title:
            continue
        if not title.startswith("@"):
            raise InputError("not FASTQ: a record starts with '@'", file=path, line=start, value=title[:40])
        letters, plus, qualities = (next(lines, (start, None))[1] for _ in range(3))
        if letters is None or plus is None or qualities is None:
            raise InputError("the last record is cut off: a FASTQ record has four lines", file=path, line=start)
        if not plus.startswith("+"):
            raise InputError("the third line of a record starts with '+'", file=path, line=start + 2, value=plus[:40])
        if len(letters) != len(qualities):
            raise InputError(f"{len(qualities)} qualities for {len(letters)} bases", file=path, line=start + 3)
        name = _name(title[1:], path, start)
        yield FlatRecord(name, _joined([letters], clean, path, start, name), start)
    if not start:
        raise InputError("the FASTQ file is empty", file=path)


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
            raise InputError("not FASTA: a record starts with '>'", file=path, line=number, value=line[:40])
    if start:
        yield start, title, parts


def _name(title: str, path: Path, line: int) -> str:
    words = title.split(maxsplit=1)
    if not words:
        raise InputError("the record has no name", file=path, line=line)
    return words[0]


def _joined(parts: list[str], clean: Cleaner, path: Path, line: int, name: str) -> str:
    """The cleaned sequence of a record whose lines follow its title line."""
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
        raise InputError(error.message, file=path, line=line + 1 + row, value=error.letter) from None
