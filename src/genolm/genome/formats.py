"""File formats by file extension."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Literal, get_args

from genolm.errors import InputError
from genolm.files.kinds import check_packing

FileFormat = Literal["fasta", "genbank", "fastq", "bed", "vcf", "table", "parquet"]
"""``genbank`` means GenBank or EMBL."""
ALL_FORMATS: tuple[FileFormat, ...] = get_args(FileFormat)
SEQUENCE_FORMATS: tuple[FileFormat, ...] = ("fasta", "genbank", "fastq")
"""Formats of sequences without coordinates."""
VARIANT_FORMATS: tuple[FileFormat, ...] = ("vcf", "table", "parquet")
"""Formats of variants."""

_EXTENSIONS: dict[str, FileFormat] = {
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
    """Return the lower-case extension without ``.gz``, ``.bgz`` or ``.bgzf``: ``.vcf`` of ``a.vcf.gz``."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    while suffixes and suffixes[-1] in _COMPRESSED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def without_data_suffix(name: str) -> str:
    """Return a file name without the extensions of its format and compression: ``hg38`` of ``hg38.fa.gz``."""
    path = Path(name)
    while path.suffix.lower() in _COMPRESSED:
        path = path.with_suffix("")
    return path.stem if path.suffix.lower() in (*_EXTENSIONS, ".bw", ".bigwig") else path.name


def flat_form_of_line(first: str) -> str | None:
    """Return ``"GenBank"`` or ``"EMBL"`` by the first line of a file; None for other formats."""
    return next((form for beginning, form in _FLAT.items() if first.startswith(beginning)), None)


def known_format(path: Path) -> FileFormat | None:
    """Return the format of a file by its extension; None if the extension is unknown."""
    return _EXTENSIONS.get(uncompressed_suffix(path))


def file_format(path: Path, takes: Collection[FileFormat] = ALL_FORMATS, first_line: str = "") -> FileFormat:
    """Return the format of a file by its extension or first line; ``-`` (standard input) is FASTA.

    Args:
        path: the file; it does not have to exist.
        takes: the supported formats.
        first_line: first line of the file, by which GenBank and EMBL are recognised; empty to use the extension alone.

    Raises:
        InputError: the extension is unknown or of a format that is not supported; the message lists the supported
            extensions or, for another compression, the command to decompress the file.
    """
    if str(path) == "-":
        return "fasta"
    if "genbank" in takes and flat_form_of_line(first_line):
        return "genbank"
    found = known_format(path)
    if found is None:
        check_packing(path)
    if found is None or found not in takes:
        known = ", ".join(extension for extension, kind in _EXTENSIONS.items() if kind in takes)
        problem = "unknown file format" if found is None else "this file format is not supported here"
        raise InputError(f"{problem}; expected {known}, or one of these with .gz", file=path, code="unknown-format")
    return found
