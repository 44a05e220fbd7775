"""Variants as read on one strand: alleles without shared bases, and the bases to compare.

The reverse strand is treated as the forward strand of the reverse-complemented contig: coordinates, tiles and the
direction in which alleles are trimmed all follow it. Both strands therefore share all code, and scoring a variant on a
reverse-complemented genome only exchanges the strands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from genolm.genome.fasta import Genome
from genolm.genome.sequence import reverse_complement
from genolm.genome.variant import Variant

Obstacle = Literal["no_context", "contig_end", "n_in_token", "longer_than_horizon"]
"""Why a strand cannot be scored: no upstream base, no downstream base, an unknown base in a token that the variant
changes, or more changed tokens than the model can read."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A variant on one strand, without the bases that its alleles share.

    Attributes:
        start: position of the first base that may differ, 0-based from the beginning of the strand.
        ref: replaced reference bases; empty for an insertion.
        alt: replacement; empty for a deletion.
    """

    start: int
    ref: str
    alt: str

    @property
    def is_snv(self) -> bool:
        """Whether the edit replaces a single base."""
        return len(self.ref) == len(self.alt) == 1


@dataclass(frozen=True, slots=True)
class Strand:
    """One strand of a contig, read from its own beginning.

    Attributes:
        genome: genome of the contig.
        chrom: name of the contig in the genome.
        reverse: whether this is the reverse strand.
    """

    genome: Genome
    chrom: str
    reverse: bool = False

    def __len__(self) -> int:
        """Length of the contig in bases."""
        return self.genome.lengths[self.chrom]

    def fetch(self, start: int, end: int) -> str:
        """Return bases ``[start, end)`` of the strand, 0-based from its beginning; fewer at the end of the contig."""
        end = min(end, len(self))
        if start >= end:
            return ""
        if not self.reverse:
            return self.genome.fetch(self.chrom, start, end)
        return reverse_complement(self.genome.fetch(self.chrom, len(self) - end, len(self) - start))

    def edit(self, variant: Variant) -> Edit:
        """Return the variant on this strand, with shared bases trimmed from the start, then from the end."""
        start, ref, alt = variant.pos - 1, variant.ref, variant.alt
        if self.reverse:
            start = len(self) - start - len(ref)
            ref, alt = reverse_complement(ref), reverse_complement(alt)
        shared = _shared(ref, alt)
        ref, alt = ref[shared:], alt[shared:]
        tail = _shared(ref[::-1], alt[::-1])
        return Edit(start + shared, ref[: len(ref) - tail], alt[: len(alt) - tail])

    def site(self, edit: Edit, horizon: int) -> Site | Obstacle:
        """Return the ``horizon`` bases to compare: ALT and the bases after it.

        Both alleles are cut to the same length if one of them reaches the end of the contig first.
        """
        if edit.start == 0:
            return "no_context"
        after = edit.start + len(edit.ref)
        suffix = edit.alt + self.fetch(after, after + horizon - len(edit.alt))
        compared = min(horizon, len(self) - edit.start, len(suffix))
        return Site(edit.start, suffix[:compared]) if compared else "contig_end"


@dataclass(frozen=True, slots=True)
class Site:
    """Position at which a variant is scored on a strand, with the compared bases of the ALT sequence.

    Attributes:
        start: position, 0-based from the beginning of the strand.
        suffix: compared bases of the ALT sequence from ``start`` on; the reference has the same number.
    """

    start: int
    suffix: str


def _shared(first: str, second: str) -> int:
    """Return the length of the common prefix."""
    for index, (base, other) in enumerate(zip(first, second)):
        if base != other:
            return index
    return min(len(first), len(second))
