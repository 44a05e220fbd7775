"""Which format a file is in, told by the end of its name."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from genolm.errors import InputError

FileFormat = Literal["fasta", "fastq", "bed", "vcf", "table", "parquet"]

_ENDINGS: dict[str, FileFormat] = {
    ".fa": "fasta", ".fasta": "fasta", ".fna": "fasta", ".ffn": "fasta",
    ".fq": "fastq", ".fastq": "fastq",
    ".bed": "bed",
    ".vcf": "vcf", ".bcf": "vcf",
    ".tsv": "table", ".csv": "table", ".txt": "table",
    ".parquet": "parquet",
}  # fmt: skip
_COMPRESSED = (".gz", ".bgz", ".bgzf")


def uncompressed_suffix(path: Path) -> str:
    """The lower-case ending of a file's name below ``.gz``, ``.bgz`` or ``.bgzf``: ``.vcf`` of ``a.vcf.gz``."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    while suffixes and suffixes[-1] in _COMPRESSED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def has_known_ending(path: Path) -> bool:
    """Return whether the end of a file's name tells its format."""
    return uncompressed_suffix(path) in _ENDINGS


def file_format(path: Path) -> FileFormat:
    """The format of a file; ``-``, standard input, is FASTA.

    Raises:
        InputError: an ending that we do not read; it lists those we do.
    """
    if str(path) == "-":
        return "fasta"
    found = _ENDINGS.get(uncompressed_suffix(path))
    if found is None:
        raise InputError(f"unknown kind of file; known endings are {', '.join(_ENDINGS)}, also with .gz", file=path)
    return found
