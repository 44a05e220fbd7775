"""BCF output: out of BCF record by record, and out of VCF text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pysam
import pysam.bcftools

from genolm.errors import InputError
from genolm.genome.fasta_index import quiet_htslib
from genolm.genome.vcf_info import InfoField, edited_header
from genolm.genome.vcf_text import bcf_records, open_bcf


def annotate_bcf(
    template: Path,
    out: Path,
    fields: Sequence[InfoField],
    extra: Sequence[str],
    next_annotation: Callable[[Path, int], Mapping[str, Any]],
) -> Literal["csi"] | None:
    """Copies a BCF file with values in INFO; numbers stay in binary, so that nothing is rounded on the way.

    Returns:
        Which index suits the records; None when they are not sorted.
    """
    is_sorted, before = True, (-1, -1)
    with open_bcf(template) as source:
        header = _header(str(source.header), fields, extra)
        with pysam.VariantFile(str(out), "wb", header=header) as target:
            for number, record in enumerate(bcf_records(source, template), start=1):
                record.translate(header)
                _annotate(record, fields, next_annotation(template, number))
                target.write(record)
                place = (record.rid, record.pos)
                is_sorted, before = is_sorted and place >= before, place
    return "csi" if is_sorted else None


def convert_to_bcf(text: Path, out: Path, template: Path) -> None:
    """Writes VCF text as BCF, after declaring what its records use and its header does not (BCF cannot do without).

    Raises:
        InputError: htslib cannot make BCF of it; names ``template``, the file the text came from.
    """
    declared = _declare_missing(text)
    try:
        with quiet_htslib():
            pysam.bcftools.view("--no-version", "-O", "b", "-o", str(out), str(declared), catch_stdout=False)
    except pysam.utils.SamtoolsError as error:
        raise InputError(f"cannot be written as BCF: {error}", file=template) from None
    finally:
        declared.unlink(missing_ok=True)


def _header(text: str, fields: Sequence[InfoField], extra: Sequence[str]) -> pysam.VariantHeader:
    lines = edited_header(text.rstrip("\n").encode().split(b"\n"), fields, extra)
    header = pysam.VariantHeader()
    for line in lines[:-1]:
        header.add_line(line.decode())
    for sample in lines[-1].decode().split("\t")[9:]:
        header.add_sample(sample)
    return header


def _annotate(record: pysam.VariantRecord, fields: Sequence[InfoField], annotation: Mapping[str, Any]) -> None:
    for field in fields:
        if field.id in record.info:
            del record.info[field.id]
        if field.id not in annotation:
            continue
        value = annotation[field.id]
        if field.type == "Flag":
            record.info[field.id] = bool(value)
        else:
            values = field.values(value, len(record.alts or (".",)))
            record.info[field.id] = values[0] if field.number == "1" else values


def _declare_missing(text: Path) -> Path:
    """A copy of VCF text whose header declares every contig, FILTER, INFO and FORMAT key that it uses."""
    declared = text.with_name(f"{text.name}.declared.vcf")
    missing = _undeclared(text)
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


def _undeclared(text: Path) -> list[bytes]:
    """Header lines for what records use undeclared, in the order of first use."""
    known: set[tuple[bytes, bytes]] = {(b"FILTER", b"PASS"), (b"FILTER", b"."), (b"INFO", b"."), (b"FORMAT", b".")}
    missing: list[bytes] = []
    with text.open("rb") as source:
        for line in source:
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
