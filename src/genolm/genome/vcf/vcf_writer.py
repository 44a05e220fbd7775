"""A VCF like another one, with INFO fields of our own in it."""

from __future__ import annotations

import re
import warnings
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

Index = Literal["tbi", "csi"]

_TBI_REACH = 1 << 29
"""The last position a ``.tbi`` can hold; beyond it a ``.csi`` is made."""
_CONTIG_LENGTH = re.compile(rb"##contig=<ID=([^,>]+),(?:[^\">]*,)?length=(\d+)[,>]")


def write_vcf(
    template: str | Path,
    out: str | Path,
    fields: Sequence[InfoField],
    annotations: Iterable[Mapping[str, Any]],
    header_lines: Sequence[str] = (),
) -> None:
    """Writes ``template`` again with values in INFO: one record per record, in the same order.

    Everything else of a record stays as it was written, and so does the header; of these fields, values and
    declarations that an earlier run left are replaced. Equal input gives equal bytes. (BCF passes through text, in
    which htslib gives its numbers six significant digits; what a BCF's header must declare and doesn't is declared.)

    Args:
        template: the VCF or BCF file the annotations were made for.
        out: ``.vcf``, ``.vcf.gz`` (bgzip, indexed when the records are sorted) or ``.bcf`` (indexed likewise). It
            appears when it is complete. The index is a ``.tbi``, or a ``.csi`` where a contig or a record (its END or
            SVLEN counts) reaches beyond 2^29.
        fields: the INFO fields, in the order in which they are to stand.
        annotations: for every record in order, a value, or a tuple with one per alternative (None and NaN become
            ``.``), by the id of the field. A field that is left out is absent from the record.
        header_lines: further header lines (``##key=value``); one that is there already is not repeated.

    Raises:
        InputError: a template that cannot be read, an output of another format, more or fewer annotations than records.
        ValueError: values that do not fit their field, or an id that is no field.

    Warns:
        UserWarning: htslib can make no index: a record lies beyond what a ``.csi`` holds, which in BCF follows from the
            lengths of the contigs in the header.
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
    """Hands out the annotations and puts them into the lines of VCF text."""

    fields: tuple[InfoField, ...]
    extra: tuple[str, ...]
    annotations: Iterator[Mapping[str, Any]]

    def next_annotation(self, template: Path, line: int) -> Mapping[str, Any]:
        annotation = next(self.annotations, None)
        if annotation is None:
            raise InputError("fewer annotations than records; did the file change meanwhile?", file=template, line=line)
        if unknown := set(annotation).difference(field.id for field in self.fields):
            raise ValueError(f"no field is declared for {', '.join(sorted(unknown))}")
        return annotation

    def check_exhausted(self, template: Path) -> None:
        if next(self.annotations, None) is not None:
            raise InputError("more annotations than records; did the file change meanwhile?", file=template)

    def write_text(self, source: VcfLines, out: Path, *, compress: bool) -> Index | None:
        """Writes the annotated lines; returns which index suits them, None when they are not sorted."""
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
    """Whether records come contig by contig and by position, as an index needs them.

    Attributes:
        lengths: of the contigs, as the header declares them.
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
    raise InputError("the output of variants must end in .vcf, .vcf.gz or .bcf", file=out)


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
        raise InputError("the output folder does not exist", file=out.parent)
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
    """Index the finished file; a ``.tbi`` that cannot hold the END of a record becomes a ``.csi``."""
    preset: Any = "bcf" if out.suffix.lower() == ".bcf" else "vcf"  # the stubs of pysam lack "bcf"
    for kind in ("tbi", "csi") if index == "tbi" else ("csi",):
        try:
            with quiet_htslib():
                pysam.tabix_index(str(draft), preset=preset, force=True, csi=kind == "csi")
            return
        except OSError:
            for name in _indexes(draft):
                name.unlink(missing_ok=True)
    reason = "a record lies beyond the length of its contig in the header, or too far for a .csi"
    warnings.warn(f"{out}: written without an index: {reason}", stacklevel=2)


__all__ = ["InfoField", "write_vcf"]
