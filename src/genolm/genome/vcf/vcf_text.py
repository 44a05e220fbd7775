"""The lines of a VCF file, or of a BCF file written out as VCF."""

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
    """A VCF file: its header, and its records, which can be read once.

    Attributes:
        path: the file.
        header: the lines from ``##fileformat`` to ``#CHROM``, both included.
        records: ``(line number, line)`` of every record; of a BCF file, the number of the record. Each has as many
            columns as the ``#CHROM`` line.
    """

    path: Path
    header: tuple[bytes, ...]
    records: Iterator[tuple[int, bytes]]


def is_bcf(path: Path) -> bool:
    """Whether a file, uncompressed, starts as BCF does; `InputError` when it cannot be read or is empty."""
    with open_bytes(path) as file:
        head = file.read(3)
    if not head:
        raise InputError("the file is empty", file=path)
    return head == b"BCF"


def read_vcf_text(path: Path) -> VcfLines:
    """Opens a VCF (plain, gzip, bgzip) or a BCF file, and checks its header and the columns of every record.

    Nothing is parsed beyond that: undeclared contigs, INFO, FILTER and FORMAT pass as they are.

    Raises:
        InputError: with file and line: it is no VCF, has no ``#CHROM`` line, or (while reading) a record has another
            number of columns; damaged or truncated compression.
    """
    if is_bcf(path):
        return _bcf_as_text(path)
    lines = byte_lines(path)
    header = _read_header(lines, path)
    return VcfLines(path, header, _checked(lines, header[-1].count(b"\t"), path))


@contextmanager
def open_bcf(path: Path) -> Iterator[pysam.VariantFile]:
    """Opens a BCF file with pysam; what htslib raises becomes `InputError`."""
    if compression(path) == "bgzip":
        check_whole(path)
    try:
        with quiet_htslib():
            file = pysam.VariantFile(str(path))
    except (OSError, ValueError):
        raise InputError("damaged BCF: its header cannot be read", file=path) from None
    with file:
        yield file


def bcf_records(file: pysam.VariantFile, path: Path) -> Iterator[pysam.VariantRecord]:
    """The records of an opened BCF file; `InputError` with the number of the record that cannot be read."""
    number = 0
    while True:
        number += 1
        try:
            with quiet_htslib():
                record = next(file, None)
        except (OSError, ValueError) as error:
            raise InputError(f"damaged BCF record: {error}", file=path, line=number) from None
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
    """Return the header of an opened file as VCF text, whatever its encoding, without the last line end."""
    with _any_encoding():
        return str(file.header).encode("utf-8", "surrogateescape").rstrip(b"\n")


def record_text(record: pysam.VariantRecord) -> bytes:
    """Return a record as a line of VCF, whatever its encoding, without the line end."""
    with _any_encoding():
        return str(record).encode("utf-8", "surrogateescape").rstrip(b"\n")


@contextmanager
def _any_encoding() -> Iterator[None]:
    """Let pysam hand on bytes that are not UTF-8 as surrogates; it would raise ``UnicodeDecodeError``."""
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
        found = line.count(b"\t")
        if found != tabs:
            if not line:
                continue
            raise InputError(
                f"{found + 1} column{'s' if found else ''}, separated by tabs, under a header of {tabs + 1}",
                file=path, line=number, value=line[:60].decode("latin-1"),
            )  # fmt: skip
        yield number, line
