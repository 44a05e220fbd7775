"""Reader of sequences from FASTA, GenBank and EMBL files."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from genolm.errors import InputError
from genolm.files.lines import locate_errors, text_lines
from genolm.genome.flat_files import FORMATS, FlatRecord, flat_format, letter_line, read_flat_file
from genolm.genome.formats import ALL_FORMATS, FileFormat, file_format, flat_form_of_line, known_format
from genolm.genome.records import Cleaner, read_fasta
from genolm.genome.records import FlatRecord as NamedSequence
from genolm.genome.sequence import LetterError

SEQUENCE_ENDINGS = (".fa", ".fasta", ".fna", ".ffn", *FORMATS)
"""Extensions of the files that `read_sequence_file` reads, optionally with ``.gz``."""


def read_sequence_file(path: Path, clean: Cleaner) -> Iterator[NamedSequence]:
    """Yield the records of a FASTA, GenBank or EMBL file (plain, gzip or bgzip; ``-`` is FASTA from standard input).

    A GenBank or EMBL file is detected by its extension or its first line. Its records are named by accession and
    version; letters are read in upper case (lower case is not soft-masking there) and U as T. Features are ignored.

    Args:
        path: the file.
        clean: converts the letters of a record; see `genolm.genome.records.Cleaner`.

    Raises:
        InputError: as `genolm.genome.records.read_fasta`; a GenBank or EMBL record is truncated, has no sequence, or a
            duplicate name.
        GenolmError: the file is GenBank or EMBL and Biopython (extra ``genbank``) is not installed.
    """
    if form := flat_form(path):
        return _flat(path, form, clean)
    if path.is_file() and known_format(path) != "fasta":
        _check_fasta(path)
    return read_fasta(path, clean)


def flat_form(path: Path) -> str | None:
    """Return ``"GenBank"`` or ``"EMBL"`` by the extension or first line of a file; None for other formats."""
    return flat_format(path) or flat_form_of_line(_beginning(path))


def input_format(path: Path, takes: Collection[FileFormat] = ALL_FORMATS) -> FileFormat:
    """Return the format of a file: by its extension, GenBank and EMBL also by the first line.

    Args:
        path: the file.
        takes: the supported formats.

    Raises:
        InputError: the format is not supported; the message lists the supported extensions.
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
    """Return the first line that is not empty, with its number."""
    return next(((number, line) for number, line in text_lines(path) if line.strip()), (0, ""))


def _check_fasta(path: Path) -> None:
    """Raise `InputError` for a file that is FASTA neither by extension nor by content."""
    number, first = _first_line(path)
    if number and not first.startswith(">"):
        expected = "a record must start with '>', LOCUS or ID"
        raise InputError(f"not FASTA, GenBank or EMBL: {expected}", file=path, line=number, value=first[:40])


def _flat(path: Path, form: str, clean: Cleaner) -> Iterator[NamedSequence]:
    seen: dict[str, int] = {}
    for record in read_flat_file(path, (), form=form):
        if record.id in seen:
            raise InputError(
                f"duplicate record name (first in line {seen[record.id]})",
                file=path, line=record.first, value=record.id, code="duplicate-name")  # fmt: skip
        seen[record.id] = record.first
        yield NamedSequence(record.id, _cleaned(record, clean), record.first)


def _cleaned(record: FlatRecord, clean: Cleaner) -> str:
    if not record.letters:
        with locate_errors(record.file, record.first):
            raise InputError(
                "the record has annotation but no sequence; download it with its sequence", value=record.id
            )
    try:
        return clean(record.letters.upper().replace("U", "T"))
    except LetterError as error:
        line = letter_line(record, error.position)
        raise error.at(file=record.file, line=line) from None
