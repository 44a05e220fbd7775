"""What is compared when a variant is scored: the bases from it on, with either allele, as one strand reads them.

The reverse strand is treated as the forward strand of the reverse-complemented contig, in everything: coordinates,
tiles and the direction in which alleles are trimmed. So both strands share all code, and scoring a variant on a
reverse-complemented genome exchanges the strands and changes nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from genolm.genome.fasta import Genome
from genolm.genome.sequence import reverse_complement
from genolm.genome.variant import Variant

Obstacle = Literal["no_context", "contig_end", "n_in_token", "longer_than_horizon"]
"""Why a strand cannot be scored: nothing precedes the variant, nothing follows it, a token that it changes holds a base
that is not known, or there are more of these tokens than the model reads."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A variant as a strand reads it, without the bases that its alleles share.

    Attributes:
        start: 0-based, from the beginning of the strand: the first base that may differ.
        ref: reference bases that are replaced; empty for an insertion.
        alt: bases that replace them; empty for a deletion.
    """

    start: int
    ref: str
    alt: str

    @property
    def is_snv(self) -> bool:
        """Whether one base replaces one."""
        return len(self.ref) == len(self.alt) == 1


@dataclass(frozen=True, slots=True)
class Strand:
    """One strand of a contig, read from its own beginning.

    Attributes:
        genome: where the bases are.
        chrom: the genome's own name of the contig.
        reverse: whether it is the strand that runs towards lower coordinates.
    """

    genome: Genome
    chrom: str
    reverse: bool = False

    def __len__(self) -> int:
        """Bases of the contig."""
        return self.genome.lengths[self.chrom]

    def fetch(self, start: int, end: int) -> str:
        """Bases ``[start, end)`` of the strand, 0-based from its beginning; shorter where the contig ends."""
        end = min(end, len(self))
        if start >= end:
            return ""
        if not self.reverse:
            return self.genome.fetch(self.chrom, start, end)
        return reverse_complement(self.genome.fetch(self.chrom, len(self) - end, len(self) - start))

    def edit(self, variant: Variant) -> Edit:
        """The variant on this strand: shared bases taken off the beginning of the alleles as read, then off the end."""
        start, ref, alt = variant.pos - 1, variant.ref, variant.alt
        if self.reverse:
            start = len(self) - start - len(ref)
            ref, alt = reverse_complement(ref), reverse_complement(alt)
        shared = _shared(ref, alt)
        ref, alt = ref[shared:], alt[shared:]
        tail = _shared(ref[::-1], alt[::-1])
        return Edit(start + shared, ref[: len(ref) - tail], alt[: len(alt) - tail])

    def site(self, edit: Edit, horizon: int) -> Site | Obstacle:
        """What to compare: the alternative and the bases that follow it, ``horizon`` of them.

        Both alleles are cut to the same number of bases when one of them reaches the end of the contig earlier.
        """
        if edit.start == 0:
            return "no_context"
        after = edit.start + len(edit.ref)
        suffix = edit.alt + self.fetch(after, after + horizon - len(edit.alt))
        compared = min(horizon, len(self) - edit.start, len(suffix))
        return Site(edit.start, suffix[:compared]) if compared else "contig_end"


@dataclass(frozen=True, slots=True)
class Site:
    """Where a variant is scored on a strand, and the alternative's bases.

    Attributes:
        start: 0-based, from the beginning of the strand.
        suffix: bases of the alternative from ``start`` on, as many as are compared; the reference has as many.
    """

    start: int
    suffix: str


def _shared(first: str, second: str) -> int:
    """Length of the common beginning."""
    for place, (one, other) in enumerate(zip(first, second)):
        if one != other:
            return place
    return min(len(first), len(second))
