"""Conversion of VCF text to BCF."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pysam
import pysam.bcftools

from genolm.errors import InputError
from genolm.files.names import as_argument
from genolm.genome.fasta_index import quiet_htslib

HELD_BY_VCF = "BCF cannot hold it, .vcf.gz can"
"""The remedy at the end of every message on BCF."""


def convert_to_bcf(text: Path, out: Path, template: Path) -> None:
    """Write VCF text as BCF, with declarations added for everything undeclared that the records use.

    Raises:
        InputError: htslib cannot convert it (never after :func:`genolm.genome.vcf.bcf_trial.check_bcf`); the message
            names ``template``, the file that the text came from.
    """
    declared = _declare_missing(text)
    try:
        encode(declared, out)
    except pysam.utils.SamtoolsError as error:
        raise InputError(f"cannot be written as BCF: {error}", file=template) from None
    finally:
        declared.unlink(missing_ok=True)


def encode(text: Path, out: Path, kind: str = "b") -> None:
    """Write VCF text as BCF with htslib, compressed (``b``) or uncompressed (``u``).

    Raises:
        SamtoolsError: the text cannot be parsed or stored (pysam).
    """
    with quiet_htslib():
        pysam.bcftools.view("--no-version", "-O", kind, "-o", as_argument(out), as_argument(text), catch_stdout=False)


def _declare_missing(text: Path) -> Path:
    """Copy VCF text, adding declarations for every contig, FILTER, INFO and FORMAT key that it uses."""
    declared = text.with_name(f"{text.name}.declared.vcf")
    with text.open("rb") as source:
        missing = undeclared(source)
    with text.open("rb") as source, declared.open("wb") as target:
        for line in source:
            if line.startswith(b"#CHROM"):
                target.writelines(entry + b"\n" for entry in missing)
            target.write(line)
    return declared


_DECLARATIONS = {
    b"contig": b"##contig=<ID=%s>",
    b"FILTER": b'##FILTER=<ID=%s,Description="not declared in the source">',
    b"INFO": b'##INFO=<ID=%s,Number=.,Type=String,Description="not declared in the source">',
    b"INFO flag": b'##INFO=<ID=%s,Number=0,Type=Flag,Description="not declared in the source">',
    b"FORMAT": b'##FORMAT=<ID=%s,Number=.,Type=String,Description="not declared in the source">',
}


def undeclared(lines: Iterable[bytes]) -> Sequence[bytes]:
    """Return header lines for everything undeclared that the records of a VCF use, in order of first use.

    Args:
        lines: header and records of the VCF, with or without line ends.
    """
    known: set[tuple[bytes, bytes]] = {(b"FILTER", b"PASS"), (b"FILTER", b"."), (b"INFO", b"."), (b"FORMAT", b".")}
    missing: list[bytes] = []
    for line in lines:
        if line.startswith(b"##"):
            kind, _, rest = line[2:].partition(b"=<ID=")
            known.add((kind, rest.partition(b",")[0].rstrip(b">\r\n")))
        elif not line.startswith(b"#"):
            for kind, key in _used(line):
                if (entry := (kind.partition(b" ")[0], key)) not in known:
                    known.add(entry)
                    missing.append(_DECLARATIONS[kind] % key)
    return missing


def _used(line: bytes) -> list[tuple[bytes, bytes]]:
    columns = line.rstrip(b"\n").split(b"\t", 9)
    parts = [part.partition(b"=") for part in columns[7].split(b";")]
    return [
        (b"contig", columns[0]),
        *((b"FILTER", key) for key in columns[6].split(b";")),
        *((b"INFO" if equals else b"INFO flag", key) for key, equals, _ in parts),
        *((b"FORMAT", key) for key in (columns[8].split(b":") if len(columns) > 8 else ())),
    ]
