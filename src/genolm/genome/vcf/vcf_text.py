"""Lines of VCF files, and of BCF files as VCF text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pysam

from genolm.errors import InputError
from genolm.files.kinds import BOM
from genolm.files.lines import byte_lines, check_whole, compression, decoded, open_bytes
from genolm.genome.fasta_index import quiet_htslib

_COLUMNS = b"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"


@dataclass(frozen=True, slots=True)
class VcfLines:
    """Header and records of a VCF file; the records can be read once.

    Attributes:
        path: the file.
        header: lines from ``##fileformat`` to ``#CHROM``, inclusive.
        records: ``(line number, line)`` of every record, for BCF the number of the record. All lines have the columns
            of the ``#CHROM`` line.
    """

    path: Path
    header: tuple[bytes, ...]
    records: Iterator[tuple[int, bytes]]


def is_bcf(path: Path) -> bool:
    """Return whether a file is BCF; raise `InputError` if it is empty or cannot be read."""
    with open_bytes(path) as file:
        head = file.read(3)
    if not head:
        raise InputError("the file is empty", file=path, code="empty-input")
    return head == b"BCF"


def read_vcf_text(path: Path) -> VcfLines:
    """Open a VCF (plain, gzip, bgzip) or BCF file, and check its header and the columns of every record.

    Undeclared contigs and INFO, FILTER and FORMAT keys are not checked.

    Raises:
        InputError: the file is not VCF, is damaged or truncated, has no ``#CHROM`` line, or (while reading) a record
            has a wrong number of columns.
    """
    if is_bcf(path):
        return _bcf_as_text(path)
    lines = byte_lines(path)
    header = _read_header(lines, path)
    return VcfLines(path, header, _checked(lines, header[-1].count(b"\t"), path))


@contextmanager
def open_bcf(path: Path) -> Iterator[pysam.VariantFile]:
    """Open a BCF file with pysam; errors of htslib become `InputError`."""
    if compression(path) == "bgzip":
        check_whole(path)
    try:
        with quiet_htslib():
            file = pysam.VariantFile(str(path))
    except (OSError, ValueError):
        raise InputError("damaged BCF: the header cannot be read", file=path, code="damaged-file") from None
    with file:
        yield file


def bcf_records(file: pysam.VariantFile, path: Path) -> Iterator[pysam.VariantRecord]:
    """Yield the records of an open BCF file; raise `InputError` with the number of an unreadable record."""
    number = 0
    while True:
        number += 1
        try:
            with quiet_htslib():
                record = next(file, None)
        except (OSError, ValueError) as error:
            raise InputError(f"damaged BCF record: {error}", file=path, line=number, code="damaged-file") from None
        if record is None:
            return
        yield record


def _bcf_as_text(path: Path) -> VcfLines:
    with open_bcf(path) as file:
        header = tuple(header_text(file).split(b"\n"))
    return VcfLines(path, header, _bcf_text_records(path))


def _bcf_text_records(path: Path) -> Iterator[tuple[int, bytes]]:
    with open_bcf(path) as file:
        for number, record in enumerate(bcf_records(file, path), start=1):
            yield number, record_text(record)


def header_text(file: pysam.VariantFile) -> bytes:
    """Return the header of an open file as VCF text in any encoding, without the last line end."""
    with _any_encoding():
        return str(file.header).encode("utf-8", "surrogateescape").rstrip(b"\n")


def record_text(record: pysam.VariantRecord) -> bytes:
    """Return a record as a line of VCF in any encoding, without the line end."""
    with _any_encoding():
        return str(record).encode("utf-8", "surrogateescape").rstrip(b"\n")


@contextmanager
def _any_encoding() -> Iterator[None]:
    """Let pysam pass bytes that are not UTF-8 as surrogates instead of raising ``UnicodeDecodeError``."""
    before = pysam.get_encoding_error_handler()
    pysam.set_encoding_error_handler("surrogateescape")
    try:
        yield
    finally:
        pysam.set_encoding_error_handler(before)


def _read_header(lines: Iterator[tuple[int, bytes]], path: Path) -> tuple[bytes, ...]:
    header: list[bytes] = []
    for number, line in lines:
        line = line.removeprefix(BOM) if number == 1 else line
        if number == 1 and not line.lower().startswith(b"##fileformat=vcf"):
            raise InputError(
                "not VCF: the first line must be ##fileformat=VCFv4…",
                file=path,
                line=1,
                value=line[:40].decode("latin-1"),
            )
        header.append(line)
        if line.startswith(b"#CHROM"):
            _check_columns(line, path, number)
            return tuple(header)
        if not line.startswith(b"##"):
            raise InputError(
                "a record before the #CHROM line", file=path, line=number, value=decoded(line, path, number)
            )
    raise InputError("the header has no #CHROM line", file=path, line=len(header))


def _check_columns(line: bytes, path: Path, number: int) -> None:
    if line != _COLUMNS and not line.startswith(_COLUMNS + b"\t"):
        raise InputError(
            "the #CHROM line must name CHROM POS ID REF ALT QUAL FILTER INFO, separated by tabs",
            file=path, line=number, value=decoded(line, path, number),
        )  # fmt: skip


def _checked(lines: Iterator[tuple[int, bytes]], tabs: int, path: Path) -> Iterator[tuple[int, bytes]]:
    for number, line in lines:
        count = line.count(b"\t")
        if count != tabs:
            if not line:
                continue
            raise InputError(
                f"expected {tabs + 1} columns separated by tabs as in the header, found {count + 1}",
                file=path, line=number, value=line[:60].decode("latin-1"),
            )  # fmt: skip
        yield number, line
