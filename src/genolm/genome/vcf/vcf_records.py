"""Reader of variants from VCF, BCF and tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from genolm.errors import InputError
from genolm.files.lines import decoded, locate_errors
from genolm.genome.formats import SEQUENCE_FORMATS, VARIANT_FORMATS, file_format, known_format
from genolm.genome.in_memory import hold_variants
from genolm.genome.input_values import Named, Variants
from genolm.genome.interval import is_coordinate
from genolm.genome.tabular import Frame, Table, present, read_table, required, whole
from genolm.genome.variant import Variant
from genolm.genome.vcf.vcf_text import read_vcf_text
from genolm.genome.vcf.vcf_writer import InfoField, write_vcf

Reason = Literal["symbolic", "star", "missing", "breakend", "non_acgt", "same_as_ref", "telomere"]
"""Why an ALT allele cannot be scored: symbolic (``<DEL>``); ``*``, deleted by another variant; missing (``.``); a
breakend; a letter other than ACGT in REF or ALT; ALT equal to REF; position 0, before the first base."""

_IUPAC = r"[ACGTURYSWKMBDHVNacgturyswkmbdhvn]+"
_is_sequence = re.compile(_IUPAC).fullmatch
_is_plain = re.compile(r"[ACGTacgt]+").fullmatch
_is_breakend = re.compile(rf"(?:{_IUPAC})?[\[\]][^\[\]]+[\[\]](?:{_IUPAC})?|\.{_IUPAC}|{_IUPAC}\.").fullmatch
_is_symbolic = re.compile(r"<[^<>\s]+>").fullmatch


@dataclass(frozen=True, slots=True)
class VariantRecord:
    """A variant record as it was read: position, REF and ALT alleles.

    Attributes:
        index: index of the record in its source, 0-based.
        line: line in the file, or number of the record or row, 1-based.
        chrom: name of the contig.
        pos: position of the first base of ``ref``, 1-based.
        id: ID column; ``.`` if missing.
        ref: REF allele.
        alts: ALT alleles in order; ``(".",)`` if there are none.
    """

    index: int
    line: int | None
    chrom: str
    pos: int
    id: str
    ref: str
    alts: tuple[str, ...]

    def variants(self) -> tuple[Variant | None, ...]:
        """Return one `Variant` per ALT allele, in upper case; None if it cannot be scored (see `reasons`)."""
        return tuple(
            None if reason else Variant(self.chrom, self.pos, self.ref, alt)
            for alt, reason in zip(self.alts, self.reasons, strict=True)
        )

    @property
    def reasons(self) -> tuple[Reason | None, ...]:
        """For each ALT allele, the reason why it cannot be scored; None if it can."""
        return tuple(self._reason(alt) for alt in self.alts)

    def _reason(self, alt: str) -> Reason | None:
        if not _is_sequence(alt):
            special: dict[str, Reason] = {".": "missing", "*": "star"}
            return special.get(alt) or ("symbolic" if alt.startswith("<") else "breakend")
        if not (_is_plain(alt) and _is_plain(self.ref)):
            return "non_acgt"
        if alt.upper() == self.ref.upper():
            return "same_as_ref"
        return None if self.pos else "telomere"


def read_variants(source: Variants | Table) -> Iterator[VariantRecord]:
    """Yield the records of a source in order; multi-allelic records are not split.

    Args:
        source: path of a VCF or BCF file (plain, gzip, bgzip), or of a TSV, CSV or parquet table with the columns
            ``chrom, pos, ref, alt`` (and ``id``) or ``variant``; such a table in memory; a variant, as a `Variant` or
            text such as ``chr22:1024:A>C``; a mapping from ids to variants; or a list of variants, tuples ``(chrom,
            pos, ref, alt)`` and pairs ``(id, variant)``. For missing values in tables see
            :func:`genolm.genome.tabular.present`.

    Raises:
        InputError: the file is not VCF, damaged or truncated, columns are missing, or a position or allele is invalid.
            In-memory sources are called ``table`` or ``variants``.
    """
    held = source if isinstance(source, Table) else hold_variants(source)
    if isinstance(held, tuple):
        return _from_values(held)
    return _from_path(held) if isinstance(held, Path) else _from_table(held)


def _from_path(path: Path) -> Iterator[VariantRecord]:
    if known_format(path) in (*SEQUENCE_FORMATS, "bed"):
        message = "not a variant file; expected VCF, BCF, TSV, CSV, text or parquet"
        raise InputError(message, file=path)
    kind = file_format(path, VARIANT_FORMATS)
    return _from_vcf(path) if kind == "vcf" else _from_table(path)


def _from_vcf(path: Path) -> Iterator[VariantRecord]:
    for index, (number, line) in enumerate(read_vcf_text(path).records):
        yield parse_record(index, number, line, path)


def parse_record(index: int, number: int, line: bytes, path: Path) -> VariantRecord:
    """Parse a line of a VCF file.

    Args:
        index: index of the record in its file, 0-based.
        number: line number, 1-based.
        line: the line, as returned by :func:`genolm.genome.vcf.vcf_text.read_vcf_text`.
        path: the file.

    Raises:
        InputError: the text is not UTF-8, or the position or an allele is invalid.
    """
    chrom, pos, name, ref, alt = decoded(b"\t".join(line.split(b"\t", 5)[:5]), path, number).split("\t")
    with locate_errors(path, number):
        return _record(index, number, chrom, pos, name, ref, alt)


def _from_table(source: Path | Frame | Table) -> Iterator[VariantRecord]:
    table = read_table(source)
    if table.has("variant") and not table.has("chrom"):
        for index, (line, (text,)) in enumerate(table.pick("variant")):
            with locate_errors(table.file, line):
                record = _of_variant(index, line, Variant.parse(required(text, "variant")))
            yield record
        return
    if not table.has("chrom", "pos", "ref", "alt"):
        raise InputError(
            "a table of variants must have the columns chrom, pos, ref and alt, or variant",
            file=table.file,
            value=table.header,
        )
    for index, (line, values) in enumerate(table.pick("chrom", "pos", "id", "ref", "alt")):
        with locate_errors(table.file, line):
            record = _of_row(index, line, *values)
        yield record


def _of_row(index: int, line: int, chrom: object, pos: object, name: object, ref: object, alt: object) -> VariantRecord:
    """Parse a row of a table: only id and ALT may be missing; several ALT alleles are separated by commas."""
    bases = required(ref, "ref")
    alts = "." if alt is None else required(alt, "alt")
    if any(present(one) is None for one in alts.split(",")[1:]):
        raise InputError("missing ALT allele in a list", value=alts)
    label = "." if name is None else required(name, "id")
    return _record(index, line, required(chrom, "chrom"), str(whole(pos, "pos")), label, bases, alts)


def _from_values(values: Iterable[Variant | Named]) -> Iterator[VariantRecord]:
    for index, value in enumerate(values):
        name, variant = (value.name, value.value) if isinstance(value, Named) else (".", value)
        assert isinstance(variant, Variant)
        yield replace(_of_variant(index, index + 1, variant), id=name)


def _of_variant(index: int, line: int, variant: Variant) -> VariantRecord:
    return VariantRecord(index, line, variant.chrom, variant.pos, ".", variant.ref, (variant.alt,))


def _record(index: int, line: int, chrom: str, pos: str, name: str, ref: str, alt: str) -> VariantRecord:
    if not chrom or chrom != chrom.strip() or " " in chrom:
        raise InputError("CHROM must be one word", value=chrom)
    if not is_coordinate(pos):
        raise InputError("POS must be a whole number, 1-based", value=pos)
    if not _is_sequence(ref):
        raise InputError("REF must be bases", value=ref)
    alts = tuple(alt.split(","))
    for one in alts:
        if not (_is_sequence(one) or (one == "." and len(alts) == 1) or _is_special(one)):
            raise InputError("ALT must be bases, *, <…>, a breakend or, alone, '.'", value=alt)
    return VariantRecord(index, line, chrom, int(pos), name, ref, alts)


def _is_special(alt: str) -> bool:
    return alt == "*" or bool(_is_symbolic(alt) or _is_breakend(alt))


__all__ = ["InfoField", "Reason", "VariantRecord", "read_variants", "write_vcf"]
