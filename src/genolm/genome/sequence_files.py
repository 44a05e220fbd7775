"""Whole sequences out of a file of any format that holds them: FASTA, GenBank or EMBL."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from genolm.errors import InputError
from genolm.files.lines import placed, text_lines
from genolm.genome.flat_files import FORMATS, FlatRecord, flat_format, letter_line, read_flat_file
from genolm.genome.formats import ALL_FORMATS, FileFormat, file_format, flat_form_of_line, known_format
from genolm.genome.records import Cleaner, read_fasta
from genolm.genome.records import FlatRecord as NamedSequence
from genolm.genome.sequence import LetterError

SEQUENCE_ENDINGS = (".fa", ".fasta", ".fna", ".ffn", *FORMATS)
"""Endings of the files that `read_sequence_file` is meant for; ``.gz`` may follow."""


def read_sequence_file(path: Path, clean: Cleaner) -> Iterator[NamedSequence]:
    """Yield the records of a FASTA, GenBank or EMBL file (plain, gzip or bgzip; ``-`` is FASTA on standard input).

    A GenBank or EMBL file is recognised by its ending or by its first line. Its records are named by accession and
    version; their letters are read in upper case (lower case does not mean soft-masked there) and U as T. Features are
    not looked at.

    Args:
        path: the file.
        clean: turns the letters of a record into the letters to use; see `genolm.genome.records.Cleaner`.

    Raises:
        InputError: with file and line: what `genolm.genome.records.read_fasta` refuses; a GenBank or EMBL record that
            is cut off, has no sequence, or has the name of an earlier record.
        GenolmError: a GenBank or EMBL file, and Biopython (extra ``genbank``) is not installed.
    """
    if form := flat_form(path):
        return _flat(path, form, clean)
    if path.is_file() and known_format(path) != "fasta":
        _check_fasta(path)
    return read_fasta(path, clean)


def flat_form(path: Path) -> str | None:
    """Return ``"GenBank"`` or ``"EMBL"``, by the ending of the name or the first line of the file; None for others."""
    return flat_format(path) or flat_form_of_line(_beginning(path))


def input_format(path: Path, takes: Collection[FileFormat] = ALL_FORMATS) -> FileFormat:
    """Return the format of a file: GenBank and EMBL also by the first line, everything else by the ending alone.

    Args:
        path: the file.
        takes: the formats that the caller reads.

    Raises:
        InputError: none of these; the message lists their endings.
    """
    return file_format(path, takes, _beginning(path) if "genbank" in takes else "")


def _beginning(path: Path) -> str:
    """Return the first line that is not empty; empty for standard input, and for files that are not text."""
    if str(path) == "-" or not path.is_file():
        return ""
    try:
        return _first_line(path)[1]
    except InputError:
        return ""


def _first_line(path: Path) -> tuple[int, str]:
    """The first line that is not empty, with its number."""
    return next(((number, line) for number, line in text_lines(path) if line.strip()), (0, ""))


def _check_fasta(path: Path) -> None:
    """Refuse a file whose name does not say that it is FASTA, and that does not begin like one."""
    number, first = _first_line(path)
    if number and not first.startswith(">"):
        expected = "a record starts with '>', LOCUS or ID"
        raise InputError(f"not FASTA, GenBank or EMBL: {expected}", file=path, line=number, value=first[:40])


def _flat(path: Path, form: str, clean: Cleaner) -> Iterator[NamedSequence]:
    seen: dict[str, int] = {}
    for record in read_flat_file(path, (), form=form):
        if record.id in seen:
            raise InputError(
                f"another record has the same name (line {seen[record.id]})",
                file=path, line=record.first, value=record.id,
            )  # fmt: skip
        seen[record.id] = record.first
        yield NamedSequence(record.id, _cleaned(record, clean), record.first)


def _cleaned(record: FlatRecord, clean: Cleaner) -> str:
    if not record.letters:
        with placed(record.file, record.first):
            raise InputError(
                "the record has no sequence, only annotation; download it with its sequence", value=record.id
            )
    try:
        return clean(record.letters.upper().replace("U", "T"))
    except LetterError as error:
        line = letter_line(record, error.position)
        raise InputError(error.message, file=record.file, line=line, value=error.letter) from None
