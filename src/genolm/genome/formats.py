"""Which format a file is in, told by the end of its name."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Literal, get_args

from genolm.errors import InputError
from genolm.files.kinds import check_packing

FileFormat = Literal["fasta", "genbank", "fastq", "bed", "vcf", "table", "parquet"]
"""``genbank`` stands for GenBank and EMBL alike."""
ALL_FORMATS: tuple[FileFormat, ...] = get_args(FileFormat)
SEQUENCE_FORMATS: tuple[FileFormat, ...] = ("fasta", "genbank", "fastq")
"""What holds sequences without coordinates."""
VARIANT_FORMATS: tuple[FileFormat, ...] = ("vcf", "table", "parquet")
"""What holds variants."""

_ENDINGS: dict[str, FileFormat] = {
    ".fa": "fasta", ".fasta": "fasta", ".fna": "fasta", ".ffn": "fasta",
    ".gb": "genbank", ".gbk": "genbank", ".gbff": "genbank", ".genbank": "genbank", ".embl": "genbank",
    ".fq": "fastq", ".fastq": "fastq",
    ".bed": "bed",
    ".vcf": "vcf", ".bcf": "vcf",
    ".tsv": "table", ".csv": "table", ".txt": "table",
    ".parquet": "parquet",
}  # fmt: skip
_FLAT = {"LOCUS  ": "GenBank", "ID   ": "EMBL"}
_COMPRESSED = (".gz", ".bgz", ".bgzf")


def uncompressed_suffix(path: Path) -> str:
    """The lower-case ending of a file's name below ``.gz``, ``.bgz`` or ``.bgzf``: ``.vcf`` of ``a.vcf.gz``."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    while suffixes and suffixes[-1] in _COMPRESSED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def flat_form_of_line(first: str) -> str | None:
    """Return ``"GenBank"`` or ``"EMBL"`` for a file whose first line begins like theirs; None for others."""
    return next((form for beginning, form in _FLAT.items() if first.startswith(beginning)), None)


def known_format(path: Path) -> FileFormat | None:
    """Return the format that the ending of a file's name stands for; None for an unknown ending."""
    return _ENDINGS.get(uncompressed_suffix(path))


def file_format(path: Path, takes: Collection[FileFormat] = ALL_FORMATS, first_line: str = "") -> FileFormat:
    """Return the format of a file by its ending or first line; ``-``, standard input, is FASTA.

    Args:
        path: the file; it need not exist.
        takes: the formats that the caller reads.
        first_line: first line of the file, by which GenBank and EMBL are recognised; empty to go by the ending alone.

    Raises:
        InputError: another ending, or one of a format that the caller does not read; it lists those that it does. Of a
            compression that is not read, it names the command that unpacks it.
    """
    if str(path) == "-":
        return "fasta"
    if "genbank" in takes and flat_form_of_line(first_line):
        return "genbank"
    found = known_format(path)
    if found is None:
        check_packing(path)
    if found is None or found not in takes:
        known = ", ".join(ending for ending, kind in _ENDINGS.items() if kind in takes)
        problem = "unknown kind of file" if found is None else "this kind of file is not read here"
        raise InputError(f"{problem}; known endings are {known}, also with .gz", file=path)
    return found
