"""A small variant: what the reference says at a place, and what stands there instead."""

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
"""Bases read at a time while an indel moves to the left."""


class ReferenceSource(Protocol):
    """Anything that reads reference bases: a `Genome`."""

    def fetch(self, chrom: str, start: int, end: int) -> str:
        """The upper-case bases of a 0-based half-open stretch; N off the contig, `InputError` when fully off."""


@dataclass(frozen=True, order=True, slots=True)
class Variant:
    """One alternative allele at one place of the reference; indels carry their anchor base as in VCF.

    Attributes:
        chrom: name of the contig.
        pos: position of the first base of ``ref``, **1-based**.
        ref: reference bases on the forward strand, A, C, G and T; lower case is lifted.
        alt: the bases that stand there instead, at least one; lower case is lifted.

    Raises:
        InputError: a position before 1, an empty allele, a letter outside ACGT, or two equal alleles.
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
            raise InputError("the position of a variant is 1-based and starts at 1", value=self.pos)
        if self.ref == self.alt:
            raise InputError("REF and ALT are the same", value=str(self))

    @classmethod
    def parse(cls, text: str) -> Variant:
        """Reads ``chr22:1024:A>C``, ``22-1024-A-C``, ``22_1024_A_C`` or ``chr22_1024_A_C_b38``.

        A genome build at the end (``b38``, ``hg38``, ``GRCh38``) is read over: a variant doesn't know its genome.

        Raises:
            InputError: the text has another form or describes no variant.
        """
        plain = text.strip() if isinstance(text, str) else ""
        for spelling in _SPELLINGS:
            if match := spelling.fullmatch(plain):
                return cls(match["chrom"], grouped_number(match["pos"], text), match["ref"], match["alt"])
        raise InputError(
            "not a variant; write it as chr22:1024:A>C, 22-1024-A-C or chr22_1024_A_C_b38 (position 1-based)",
            value=text,
        )

    def __str__(self) -> str:
        return f"{self.chrom}:{self.pos}:{self.ref}>{self.alt}"

    @property
    def interval(self) -> Interval:
        """The bases of REF on the forward strand (0-based, half-open)."""
        return Interval(self.chrom, self.pos - 1, self.pos - 1 + len(self.ref))

    @property
    def kind(self) -> VariantKind:
        """What is left when the bases common to both alleles are gone, so that padding doesn't matter."""
        _, ref, alt = _cut(0, self.ref, self.alt, keep=0)
        if not ref:
            return "insertion"
        if not alt:
            return "deletion"
        if len(ref) != len(alt):
            return "complex"
        return "snv" if len(ref) == 1 else "mnv"

    def trimmed(self) -> Variant:
        """The shortest spelling: common bases taken off the right, then off the left, one base kept in each allele."""
        return Variant(self.chrom, *_cut(self.pos, self.ref, self.alt, keep=1))

    def left_aligned(self, genome: ReferenceSource) -> Variant:
        """The normal form: trimmed, and an indel moved as far to the left as the reference lets it.

        An indel that would need a base before the contig's first, or next to an N, stays where it is.

        Raises:
            InputError: REF is not what the genome says.
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
        """Compares REF with the genome.

        Where the genome has an ambiguous letter, REF is the first base in the alphabet that it stands for, as VCF 4.3
        has it: A for R.

        Raises:
            InputError: they differ, or the position is off the contig.
        """
        place = self.interval
        found = genome.fetch(place.chrom, place.start, place.end)
        if found != self.ref and _first_bases(genome, place) != self.ref:
            raise InputError(
                f"REF is not the reference, which has {_shortened(found)} there; is it another genome build?",
                value=str(self),
            )

    def flipped(self) -> Variant:
        """The same event written on the other strand: both alleles reverse-complemented, position unchanged.

        If its REF matches the genome where the original's doesn't, the variant had been reported on the reverse strand.
        """
        return Variant(self.chrom, self.pos, reverse_complement(self.ref), reverse_complement(self.alt))

    def swapped(self) -> Variant:
        """REF and ALT exchanged."""
        return Variant(self.chrom, self.pos, self.alt, self.ref)


class _LeftBases:
    """Reads the reference backwards from a place, a block at a time."""

    def __init__(self, genome: ReferenceSource, chrom: str) -> None:
        self.genome, self.chrom, self.start, self.bases = genome, chrom, 0, ""

    def before(self, position: int) -> str:
        """The base just left of a 0-based position; empty at the start of the contig."""
        if position <= 0:
            return ""
        if not self.start < position <= self.start + len(self.bases):
            self.start = max(0, position - _STEP)
            self.bases = self.genome.fetch(self.chrom, self.start, position)
        return self.bases[position - 1 - self.start]


def _first_bases(genome: ReferenceSource, place: Interval) -> str:
    """The reference as VCF writes it: of every ambiguous letter the first base."""
    read = getattr(genome, "letters", genome.fetch)
    return vcf_reference(read(place.chrom, place.start, place.end))


def _allele(text: str, name: str) -> str:
    bases = text.upper() if isinstance(text, str) else ""
    if not bases or not _BASES.issuperset(bases):
        raise InputError(f"{name} of a variant is one or more of the letters A, C, G and T", value=text)
    return bases


def _cut(pos: int, ref: str, alt: str, *, keep: int) -> tuple[int, str, str]:
    """Takes the common end, then the common beginning off both alleles, down to ``keep`` bases in each."""
    while min(len(ref), len(alt)) > keep and ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
    shared = 0
    while min(len(ref), len(alt)) - shared > keep and ref[shared] == alt[shared]:
        shared += 1
    return pos + shared, ref[shared:], alt[shared:]


def _shortened(bases: str) -> str:
    return bases if len(bases) <= 20 else f"{bases[:20]}…"
