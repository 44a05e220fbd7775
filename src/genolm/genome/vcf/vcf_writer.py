"""Writer of annotated VCF and BCF: a copy of a file with INFO fields of genolm."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

import pysam

from genolm.errors import InputError
from genolm.files.atomic import atomic_file
from genolm.files.lines import locate_errors
from genolm.files.names import through_link
from genolm.genome.fasta_index import quiet_htslib
from genolm.genome.formats import uncompressed_suffix
from genolm.genome.vcf.bcf import convert_to_bcf
from genolm.genome.vcf.vcf_info import InfoField, edited_header, edited_info
from genolm.genome.vcf.vcf_text import VcfLines, read_vcf_text
from genolm.notes import note

Index = Literal["tbi", "csi"]

_TBI_REACH = 1 << 29
"""Limit of positions in a ``.tbi``; beyond it a ``.csi`` is written."""
_CONTIG_LENGTH = re.compile(rb"##contig=<ID=([^,>]+),(?:[^\">]*,)?length=(\d+)[,>]")


def write_vcf(
    template: str | Path,
    out: str | Path,
    fields: Sequence[InfoField],
    annotations: Iterable[Mapping[str, Any]],
    header_lines: Sequence[str] = (),
) -> None:
    """Write a copy of ``template`` with additional INFO values, record by record.

    Everything else in records and header is unchanged; existing values and declarations of these fields are replaced.
    Equal input gives equal bytes. (BCF is converted through text, in which htslib prints numbers with six significant
    digits; missing declarations are added to the header.)

    Args:
        template: VCF or BCF file with the annotated records.
        out: ``.vcf``, ``.vcf.gz`` (bgzip) or ``.bcf``, written atomically. The last two are indexed if the records are
            sorted: with a ``.tbi``, or a ``.csi`` if a contig or record (including END and SVLEN) extends beyond 2^29.
        fields: INFO fields, in output order.
        annotations: for every record in order, values by field id: one value, or a tuple with one per ALT allele (None
            and NaN become ``.``). Missing fields are not written.
        header_lines: additional header lines (``##key=value``); existing lines are not repeated.

    Raises:
        InputError: the template cannot be read, the output format is unknown, or the numbers of annotations and records
            differ.
        ValueError: values do not match their field, or a field is not declared.

    Notes:
        htslib cannot create an index, because a record is beyond the limits of a ``.csi`` (for BCF they
        depend on the contig lengths in the header).
    """
    template, out = Path(template), Path(out)
    kind = _output_kind(out)
    scribe = _Scribe(tuple(fields), tuple(header_lines), iter(annotations))
    with _output(out) as draft:
        if kind == "bcf":
            index = _through_text(scribe, template, draft)
        else:
            index = scribe.write_text(read_vcf_text(template), draft, compress=kind == "bgzip")
        scribe.check_exhausted(template)
        if index is not None and kind != "plain":
            _make_index(draft, out, index)


@dataclass(slots=True)
class _Scribe:
    """Adds annotations to lines of VCF text."""

    fields: tuple[InfoField, ...]
    extra: tuple[str, ...]
    annotations: Iterator[Mapping[str, Any]]

    def next_annotation(self, template: Path, line: int) -> Mapping[str, Any]:
        annotation = next(self.annotations, None)
        if annotation is None:
            raise InputError("fewer annotations than records; was the file changed?", file=template, line=line)
        if unknown := set(annotation).difference(field.id for field in self.fields):
            raise ValueError(f"undeclared INFO fields: {', '.join(sorted(unknown))}")
        return annotation

    def check_exhausted(self, template: Path) -> None:
        if next(self.annotations, None) is not None:
            raise InputError("more annotations than records; was the file changed?", file=template)

    def write_text(self, source: VcfLines, out: Path, *, compress: bool) -> Index | None:
        """Write the annotated lines; return the suitable index type, or None if they are not sorted."""
        order = _Order(_contig_lengths(source.header))
        with _open_out(out, compress) as file:
            file.write(b"\n".join(edited_header(source.header, self.fields, self.extra)) + b"\n")
            for number, line in source.records:
                columns = line.split(b"\t", 8)
                annotation = self.next_annotation(source.path, number)
                columns[7] = edited_info(columns[7], self.fields, annotation, columns[4].count(b",") + 1)
                file.write(b"\t".join(columns) + b"\n")
                with locate_errors(source.path, number):
                    order.see(columns[0], columns[1], len(columns[3]))
        return order.index()


@dataclass(slots=True)
class _Order:
    """Check that records are sorted by contig and position, as required by an index.

    Attributes:
        lengths: lengths of the contigs in the header.
    """

    lengths: Mapping[bytes, int]
    contigs: set[bytes] = field(default_factory=set)
    contig: bytes = b""
    pos: int = 0
    furthest: int = 0
    is_sorted: bool = True

    def see(self, contig: bytes, pos: bytes, length: int) -> None:
        if not pos.isdigit():
            raise InputError("POS must be a whole number, 1-based", value=pos.decode("latin-1"))
        position = int(pos)
        if contig != self.contig:
            self.is_sorted &= contig not in self.contigs
            self.contigs.add(contig)
            self.contig, self.pos = contig, 0
            self.furthest = max(self.furthest, self.lengths.get(contig, 0))
        self.is_sorted &= position >= max(self.pos, 1)
        self.pos, self.furthest = position, max(self.furthest, position + length)

    def index(self) -> Index | None:
        if not self.is_sorted:
            return None
        return "tbi" if self.furthest < _TBI_REACH else "csi"


def _contig_lengths(header: Iterable[bytes]) -> dict[bytes, int]:
    found = (_CONTIG_LENGTH.match(line) for line in header)
    return {match[1]: int(match[2]) for match in found if match}


def _through_text(scribe: _Scribe, template: Path, draft: Path) -> Index | None:
    text = draft.with_name(f"{draft.name}.vcf")
    try:
        index = scribe.write_text(read_vcf_text(template), text, compress=False)
        convert_to_bcf(text, draft, template)
    finally:
        text.unlink(missing_ok=True)
    return "csi" if index else None


def _output_kind(out: Path) -> Literal["plain", "bgzip", "bcf"]:
    suffix, compressed = uncompressed_suffix(out), out.suffix.lower() in (".gz", ".bgz")
    if suffix == ".bcf" and not compressed:
        return "bcf"
    if suffix == ".vcf":
        return "bgzip" if compressed else "plain"
    raise InputError("the output of variants must end in .vcf, .vcf.gz or .bcf", file=out, code="unknown-format")


@contextmanager
def _open_out(path: Path, compress: bool) -> Iterator[BinaryIO]:
    if compress:
        with pysam.BGZFile(str(path), "wb", None) as packed:
            yield cast(BinaryIO, packed)
    else:
        with path.open("wb") as plain:
            yield plain


@contextmanager
def _output(out: Path) -> Iterator[Path]:
    """Provide a draft that replaces ``out`` on success; its index, if one was made, replaces that of ``out``."""
    if not out.parent.is_dir():
        raise InputError("the output folder does not exist", file=out.parent, code="file-not-found")
    draft = None
    try:
        with atomic_file(out) as draft:
            yield draft
        for made, name in zip(_indexes(draft), _indexes(through_link(out))):
            if made.exists():
                made.replace(name)
            else:
                name.unlink(missing_ok=True)
    finally:
        for name in () if draft is None else _indexes(draft):
            with suppress(OSError):
                name.unlink(missing_ok=True)


def _indexes(path: Path) -> tuple[Path, Path]:
    return Path(f"{path}.tbi"), Path(f"{path}.csi")


def _make_index(draft: Path, out: Path, index: Index) -> None:
    """Index the file; if a ``.tbi`` cannot store the END of a record, create a ``.csi``."""
    preset: Any = "bcf" if out.suffix.lower() == ".bcf" else "vcf"  # the stubs of pysam lack "bcf"
    for kind in ("tbi", "csi") if index == "tbi" else ("csi",):
        try:
            with quiet_htslib():
                pysam.tabix_index(str(draft), preset=preset, force=True, csi=kind == "csi")
            return
        except OSError:
            for name in _indexes(draft):
                name.unlink(missing_ok=True)
    reason = "a record is beyond the length of its contig in the header, or beyond the limit of a .csi"
    note(f"{out}: written without an index: {reason}")


__all__ = ["InfoField", "write_vcf"]
