"""Small variants: SNVs, MNVs and indels."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, Protocol

from genolm.errors import InputError
from genolm.genome.interval import Interval, check_contig_name, grouped_number, whole_number
from genolm.genome.sequence import reverse_complement, vcf_reference

VariantKind = Literal["snv", "mnv", "insertion", "deletion", "complex"]

_BUILD = r"(?:[-_:](?:b3[678]|hg\d\d|grch3[678]))?"
_ALLELES = r"(?P<pos>[0-9,]+){0}(?P<ref>[a-zA-Z]+){1}(?P<alt>[a-zA-Z]+)" + _BUILD
_SPELLINGS = tuple(
    re.compile(rf"(?P<chrom>\S+){between}" + _ALLELES.replace("{0}", between).replace("{1}", arrow), re.IGNORECASE)
    for between, arrow in ((":", "[>:]"), ("-", "-"), ("_", "_"))
)
_BASES = frozenset("ACGT")
_STEP = 256
"""Bases per read while an indel is left-aligned."""


class ReferenceSource(Protocol):
    """Source of reference bases, such as a `Genome`."""

    def fetch(self, chrom: str, start: int, end: int) -> str:
        """Return upper-case bases, 0-based half-open; N beyond the contig, `InputError` if completely beyond it."""


@dataclass(frozen=True, order=True, slots=True)
class Variant:
    """A REF and an ALT allele at a position of the reference; indels include their anchor base as in VCF.

    Attributes:
        chrom: name of the contig.
        pos: position of the first base of ``ref``, **1-based**.
        ref: REF allele on the forward strand: A, C, G and T, converted to upper case.
        alt: ALT allele, at least one base, converted to upper case.

    Raises:
        InputError: the position is below 1, an allele is empty or has other letters than ACGT, or both are equal.
    """

    chrom: str
    pos: int
    ref: str
    alt: str

    def __post_init__(self) -> None:
        check_contig_name(self.chrom)
        object.__setattr__(self, "pos", whole_number(self.pos, "pos"))
        object.__setattr__(self, "ref", _allele(self.ref, "REF"))
        object.__setattr__(self, "alt", _allele(self.alt, "ALT"))
        if self.pos < 1:
            raise InputError("the position of a variant must be at least 1 (1-based)", value=self.pos)
        if self.ref == self.alt:
            raise InputError("REF and ALT are equal", value=str(self))

    @staticmethod
    def is_text(text: str) -> bool:
        """Return whether a text has one of the forms of :meth:`parse`; position and alleles may still be invalid."""
        return any(spelling.fullmatch(text.strip()) for spelling in _SPELLINGS)

    @classmethod
    def parse(cls, text: str) -> Variant:
        """Parse ``chr22:1024:A>C``, ``22-1024-A-C``, ``22_1024_A_C`` or ``chr22_1024_A_C_b38``.

        A genome build at the end (``b38``, ``hg38``, ``GRCh38``) is ignored.

        Raises:
            InputError: the text is not a valid variant.
        """
        plain = text.strip() if isinstance(text, str) else ""
        for spelling in _SPELLINGS:
            if match := spelling.fullmatch(plain):
                return cls(match["chrom"], grouped_number(match["pos"], text), match["ref"], match["alt"])
        raise InputError(
            "invalid variant: expected chr22:1024:A>C, 22-1024-A-C or chr22_1024_A_C_b38 (position 1-based)",
            value=text,
        )

    def __str__(self) -> str:
        return f"{self.chrom}:{self.pos}:{self.ref}>{self.alt}"

    @property
    def interval(self) -> Interval:
        """Interval of REF on the forward strand (0-based, half-open)."""
        return Interval(self.chrom, self.pos - 1, self.pos - 1 + len(self.ref))

    @property
    def kind(self) -> VariantKind:
        """Type of the variant after removing bases common to both alleles, so that padding does not matter."""
        _, ref, alt = _cut(0, self.ref, self.alt, keep=0)
        if not ref:
            return "insertion"
        if not alt:
            return "deletion"
        if len(ref) != len(alt):
            return "complex"
        return "snv" if len(ref) == 1 else "mnv"

    def trimmed(self) -> Variant:
        """Return the variant without common bases on the right, then the left; each allele keeps at least one base."""
        return Variant(self.chrom, *_cut(self.pos, self.ref, self.alt, keep=1))

    def left_aligned(self, genome: ReferenceSource) -> Variant:
        """Return the normalised variant: trimmed, with an indel moved as far left as the reference allows.

        An indel stops at the first base of the contig and at an N.

        Raises:
            InputError: REF does not match the genome.
        """
        self.check(genome)
        start, ref, alt = self.pos - 1, self.ref, self.alt
        left = _LeftBases(genome, self.chrom)
        while ref[-1] == alt[-1]:
            if len(ref) > 1 and len(alt) > 1:
                ref, alt = ref[:-1], alt[:-1]
                continue
            base = left.before(start)
            if base not in _BASES:
                break
            start, ref, alt = start - 1, base + ref[:-1], base + alt[:-1]
        return Variant(self.chrom, *_cut(start + 1, ref, alt, keep=1))

    def check(self, genome: ReferenceSource) -> None:
        """Raise `InputError` if REF does not match the genome.

        For an ambiguity code in the genome, REF is the alphabetically first of its bases, as in VCF 4.3: A for R.

        Raises:
            InputError: they differ, or the position is beyond the contig.
        """
        interval = self.interval
        reference = genome.fetch(interval.chrom, interval.start, interval.end)
        if reference != self.ref and _first_bases(genome, interval) != self.ref:
            raise InputError(
                f"REF does not match the reference, which has {_shortened(reference)}; is it another genome build?",
                value=str(self),
                code="ref-mismatch",
            )

    def flipped(self) -> Variant:
        """Return the variant with both alleles reverse-complemented and the position unchanged.

        If its REF matches the genome and the original's does not, the variant was reported on the reverse strand.
        """
        return Variant(self.chrom, self.pos, reverse_complement(self.ref), reverse_complement(self.alt))

    def swapped(self) -> Variant:
        """Return the variant with REF and ALT exchanged."""
        return Variant(self.chrom, self.pos, self.alt, self.ref)


class _LeftBases:
    """Reader of the reference backwards from a position, in blocks."""

    def __init__(self, genome: ReferenceSource, chrom: str) -> None:
        self.genome, self.chrom, self.start, self.bases = genome, chrom, 0, ""

    def before(self, position: int) -> str:
        """Return the base before a 0-based position; empty at the start of the contig."""
        if position <= 0:
            return ""
        if not self.start < position <= self.start + len(self.bases):
            self.start = max(0, position - _STEP)
            self.bases = self.genome.fetch(self.chrom, self.start, position)
        return self.bases[position - 1 - self.start]


def _first_bases(genome: ReferenceSource, place: Interval) -> str:
    """Return the reference as in VCF, with the first base of every ambiguity code."""
    read = getattr(genome, "letters", genome.fetch)
    return vcf_reference(read(place.chrom, place.start, place.end))


def _allele(text: str, name: str) -> str:
    bases = text.upper() if isinstance(text, str) else ""
    if not bases or not _BASES.issuperset(bases):
        raise InputError(f"{name} of a variant must consist of A, C, G and T", value=text)
    return bases


def _cut(pos: int, ref: str, alt: str, *, keep: int) -> tuple[int, str, str]:
    """Remove the common suffix, then the common prefix, but keep at least ``keep`` bases of each allele."""
    while min(len(ref), len(alt)) > keep and ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
    shared = 0
    while min(len(ref), len(alt)) - shared > keep and ref[shared] == alt[shared]:
        shared += 1
    return pos + shared, ref[shared:], alt[shared:]


def _shortened(bases: str) -> str:
    return bases if len(bases) <= 20 else f"{bases[:20]}…"
