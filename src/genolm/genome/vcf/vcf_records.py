"""Variants out of VCF, BCF and tables; a scored VCF is written by `write_vcf`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from genolm.errors import InputError
from genolm.files.lines import decoded, locate_errors
from genolm.genome.formats import SEQUENCE_FORMATS, VARIANT_FORMATS, file_format, known_format
from genolm.genome.interval import is_coordinate
from genolm.genome.tabular import Table, is_table, present, read_table, required, whole
from genolm.genome.variant import Variant
from genolm.genome.vcf.vcf_text import read_vcf_text
from genolm.genome.vcf.vcf_writer import InfoField, write_vcf

Reason = Literal["symbolic", "star", "missing", "breakend", "non_acgt", "same_as_ref", "telomere"]
"""Why an alternative cannot be scored: ``<DEL>``; ``*``, deleted by another variant; ``.``, no alternative; a breakend;
a letter outside ACGT in REF or ALT; ALT equal to REF; position 0, before the first base."""

_IUPAC = r"[ACGTURYSWKMBDHVNacgturyswkmbdhvn]+"
_is_sequence = re.compile(_IUPAC).fullmatch
_is_plain = re.compile(r"[ACGTacgt]+").fullmatch
_is_breakend = re.compile(rf"(?:{_IUPAC})?[\[\]][^\[\]]+[\[\]](?:{_IUPAC})?|\.{_IUPAC}|{_IUPAC}\.").fullmatch
_is_symbolic = re.compile(r"<[^<>\s]+>").fullmatch


@dataclass(frozen=True, slots=True)
class VariantRecord:
    """One record: a place, its reference bases and one or more alternatives, as they were read.

    Attributes:
        index: number of the record in its source, from 0.
        line: 1-based line of its file; the record or row number where there are no lines.
        chrom: name of the contig.
        pos: position of the first base of ``ref``, 1-based.
        id: the ID column, ``.`` when there is none.
        ref: reference bases.
        alts: alternatives in order; ``(".",)`` when there is none.
    """

    index: int
    line: int | None
    chrom: str
    pos: int
    id: str
    ref: str
    alts: tuple[str, ...]

    def variants(self) -> tuple[Variant | None, ...]:
        """One `Variant` per alternative, in upper case; None where it cannot be scored (see `reasons`)."""
        return tuple(
            None if reason else Variant(self.chrom, self.pos, self.ref, alt)
            for alt, reason in zip(self.alts, self.reasons, strict=True)
        )

    @property
    def reasons(self) -> tuple[Reason | None, ...]:
        """Per alternative, why it cannot be scored; None for one that can."""
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


def read_variants(source: Any) -> Iterator[VariantRecord]:
    """Yields the records of a source in its order, multi-allelic ones whole.

    Args:
        source: a path of a VCF or BCF file (plain, gzip, bgzip), or of a TSV, CSV or parquet table with the columns
            ``chrom, pos, ref, alt`` (and ``id``) or ``variant``; such a table in memory; a `Variant`, a text such as
            ``chr22:1024:A>C`` or a tuple ``(chrom, pos, ref, alt)``, in a list. In tables, ``NA``, NaN and the like
            are missing values (:func:`genolm.genome.tabular.present`).

    Raises:
        InputError: with file and line (of what is in memory, ``table`` or ``variants`` and the row): not a VCF, wrong
            columns, a position that is no number, an allele that is none; a damaged or truncated file.
    """
    if isinstance(source, str | Path):
        path = Path(source)
        if known_format(path) in (*SEQUENCE_FORMATS, "bed"):
            raise InputError("holds no variants; they are read from VCF, BCF, TSV, CSV, text or parquet", file=path)
        kind = file_format(path, VARIANT_FORMATS)
        return _from_vcf(path) if kind == "vcf" else _from_table(path)
    if is_table(source) or isinstance(source, Table):
        return _from_table(source)
    return _from_values([source] if isinstance(source, Variant) else source)


def _from_vcf(path: Path) -> Iterator[VariantRecord]:
    for index, (number, line) in enumerate(read_vcf_text(path).records):
        yield parse_record(index, number, line, path)


def parse_record(index: int, number: int, line: bytes, path: Path) -> VariantRecord:
    """Return the record in a line of a VCF file.

    Args:
        index: number of the record in its file, from 0.
        number: 1-based line.
        line: the text, as :func:`genolm.genome.vcf.vcf_text.read_vcf_text` gives it.
        path: the file.

    Raises:
        InputError: with file and line: text that is not UTF-8, a position that is no number, an allele that is none.
    """
    chrom, pos, name, ref, alt = decoded(b"\t".join(line.split(b"\t", 5)[:5]), path, number).split("\t")
    with locate_errors(path, number):
        return _record(index, number, chrom, pos, name, ref, alt)


def _from_table(source: Any) -> Iterator[VariantRecord]:
    table = read_table(source)
    if table.has("variant") and not table.has("chrom"):
        for index, (line, (text,)) in enumerate(table.pick("variant")):
            with locate_errors(table.file, line):
                record = _of_variant(index, line, Variant.parse(required(text, "variant")))
            yield record
        return
    if not table.has("chrom", "pos", "ref", "alt"):
        raise InputError(
            "a table of variants has the columns chrom, pos, ref and alt, or variant",
            file=table.file,
            value=table.header,
        )
    for index, (line, values) in enumerate(table.pick("chrom", "pos", "id", "ref", "alt")):
        with locate_errors(table.file, line):
            record = _of_row(index, line, *values)
        yield record


def _of_row(index: int, line: int, chrom: object, pos: object, name: object, ref: object, alt: object) -> VariantRecord:
    """A row of a table: only id and ALT may be missing; several ALT are separated by commas."""
    bases = required(ref, "ref")
    alts = "." if alt is None else required(alt, "alt")
    if any(present(one) is None for one in alts.split(",")[1:]):
        raise InputError("one of several ALT is missing", value=alts)
    label = "." if name is None else required(name, "id")
    return _record(index, line, required(chrom, "chrom"), str(whole(pos, "pos")), label, bases, alts)


def _from_values(values: Iterable[object]) -> Iterator[VariantRecord]:
    for index, value in enumerate(values):
        with locate_errors("variants", index + 1):
            variant = _variant_of(value)
        yield _of_variant(index, index + 1, variant)


def _variant_of(value: Any) -> Variant:
    match value:
        case Variant():
            return value
        case str():
            return Variant.parse(value)
        case (str() as chrom, pos, str() as ref, str() as alt):
            return Variant(chrom, pos, ref, alt)
    raise InputError("neither a Variant, nor text such as chr22:1024:A>C, nor (chrom, pos, ref, alt)", value=value)


def _of_variant(index: int, line: int, variant: Variant) -> VariantRecord:
    return VariantRecord(index, line, variant.chrom, variant.pos, ".", variant.ref, (variant.alt,))


def _record(index: int, line: int, chrom: str, pos: str, name: str, ref: str, alt: str) -> VariantRecord:
    if not chrom or chrom != chrom.strip() or " " in chrom:
        raise InputError("CHROM is one word", value=chrom)
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
