"""Simulated variants with known effects on the simulated genes.

Every indel has one anchor base and is left-aligned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from genolm.genome.interval import Interval
from genolm.genome.sequence import reverse_complement
from genolm.genome.simulation import human_figures as figures
from genolm.genome.simulation.human_figures import GENETIC_CODE
from genolm.genome.simulation.simulated_contigs import Contig, PlacedGene, intergenic
from genolm.genome.simulation.simulated_genes import TATA_CORE, Sampler, codes_of, letters
from genolm.genome.spans import true_runs

CLASS_OF = {
    "splice_donor": "LP",
    "splice_acceptor": "LP",
    "start_lost": "LP",
    "stop_gained": "LP",
    "frameshift": "LP",
    "promoter": "LP",
    "exon_deletion": "LP",
    "synonymous": "LB",
    "intronic": "LB",
    "intergenic": "LB",
    "intergenic_indel": "LB",
    "spanning_deletion": ".",
}
"""INFO/CLS for each value of INFO/EFFECT: LP likely pathogenic, LB likely benign, ``.`` unspecified."""

_STOPS = ("TAA", "TAG", "TGA")


@dataclass(frozen=True, slots=True)
class TrueVariant:
    """A VCF record with its true effect.

    Attributes:
        chrom: contig.
        pos: 1-based position of the first base of `ref`.
        ref: REF allele, upper case.
        alts: ALT alleles.
        effects: true effect of each ALT allele, a key of `CLASS_OF`.
        gene: gene of the variant, ``.`` if there is none.
        end: last base of a symbolic deletion, 1-based; else None.
    """

    chrom: str
    pos: int
    ref: str
    alts: tuple[str, ...]
    effects: tuple[str, ...]
    gene: str = "."
    end: int | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """INFO/CLS of each ALT allele."""
        return tuple(CLASS_OF[effect] for effect in self.effects)


def draw_variants(sampler: Sampler, contigs: list[Contig]) -> list[TrueVariant]:
    """Simulate variants, sorted by contig and position, at most one per position.

    Every gene gets at most one variant of each genic effect, and four neutral intergenic variants; the first contig
    also gets a multi-allelic site, a ``*`` and a ``<DEL>``.
    """
    variants: dict[tuple[int, int], TrueVariant] = {}
    for place, contig in enumerate(contigs):
        special = _special_variants(sampler, contig) if place == 0 else ()
        for variant in (*special, *_contig_variants(sampler, contig)):
            variants.setdefault((place, variant.pos), variant)
    return [variants[key] for key in sorted(variants)]


def tata_score(box: str) -> float:
    """Return the log-odds (nats) of 15 bases under the TATA matrix relative to uniform bases."""
    rows = figures.TATA[np.arange(len(box)), codes_of(box)]
    return float(np.log(rows / 0.25).sum())


def _contig_variants(sampler: Sampler, contig: Contig) -> Iterator[TrueVariant]:
    for gene in contig.genes:
        for draw in _GENE_DRAWS:
            variant = draw(sampler, contig, gene)
            if variant is not None:
                yield variant
    outside = [(start, end) for start, end in intergenic(contig) if end - start >= 40]
    for _ in range(2 * len(contig.genes)):
        yield _intergenic_substitution(sampler, contig, outside)
        yield _intergenic_indel(sampler, contig, outside)


def _substitution(contig: Contig, gene: PlacedGene, offset: int, alt: str, effect: str) -> TrueVariant:
    """Return a substitution given on the strand of the gene, written on the forward strand."""
    position = gene.position(offset)
    forward = alt if gene.strand == "+" else reverse_complement(alt)
    reference = contig.sequence(position, position + 1)
    return TrueVariant(contig.name, position + 1, reference, (forward,), (effect,), gene.name)


def _other_base(sampler: Sampler, base: str, avoid: str = "") -> str:
    others = [letter for letter in "ACGT" if letter != base and letter not in avoid]
    return others[sampler.integer(0, len(others) - 1)]


def _splice_donor(sampler: Sampler, contig: Contig, gene: PlacedGene) -> TrueVariant | None:
    """Mutate GT at the start of an intron, but not to the rare GC."""
    return _splice(sampler, contig, gene, lambda intron: intron[0], "splice_donor")


def _splice_acceptor(sampler: Sampler, contig: Contig, gene: PlacedGene) -> TrueVariant | None:
    """Mutate AG at the end of an intron."""
    return _splice(sampler, contig, gene, lambda intron: intron[1] - 2, "splice_acceptor")


def _splice(
    sampler: Sampler, contig: Contig, gene: PlacedGene, site: Callable[[tuple[int, int]], int], effect: str
) -> TrueVariant | None:
    introns = gene.draft.introns
    if not introns:
        return None
    offset = site(introns[sampler.integer(0, len(introns) - 1)]) + sampler.integer(0, 1)
    base = letters(gene.draft.codes[offset : offset + 1])
    alt = _other_base(sampler, base, avoid="C" if base == "T" else "")
    return _substitution(contig, gene, offset, alt, effect)


def _start_lost(sampler: Sampler, contig: Contig, gene: PlacedGene) -> TrueVariant | None:
    """Mutate a base of the start codon."""
    offset = gene.draft.coding[0] + sampler.integer(0, 2)
    base = letters(gene.draft.codes[offset : offset + 1])
    return _substitution(contig, gene, offset, _other_base(sampler, base), "start_lost")


def _promoter(sampler: Sampler, contig: Contig, gene: PlacedGene) -> TrueVariant | None:
    """Mutate the first, second or third base of TATAAA to C or G."""
    if gene.draft.tata is None:
        return None
    offset = gene.draft.tata[0] + TATA_CORE.start + sampler.integer(0, 2)
    return _substitution(contig, gene, offset, "CG"[sampler.integer(0, 1)], "promoter")


def _stop_gained(sampler: Sampler, contig: Contig, gene: PlacedGene) -> TrueVariant | None:
    return _codon_change(sampler, contig, gene, "stop_gained")


def _synonymous(sampler: Sampler, contig: Contig, gene: PlacedGene) -> TrueVariant | None:
    return _codon_change(sampler, contig, gene, "synonymous")


def _codon_change(sampler: Sampler, contig: Contig, gene: PlacedGene, effect: str) -> TrueVariant | None:
    """Sample a substitution with this effect in the first four fifths of the reading frame."""
    choices = [
        (offsets[place], alt)
        for codon, offsets in _codons(gene)
        for place in range(3)
        for alt in "ACGT"
        if alt != codon[place] and _codon_effect(codon, place, alt) == effect
    ]
    if not choices:
        return None
    offset, alt = choices[sampler.integer(0, len(choices) - 1)]
    return _substitution(contig, gene, offset, alt, effect)


def _codons(gene: PlacedGene) -> list[tuple[str, list[int]]]:
    """Return complete codons within an exon, at least 6 bases from its ends, with the offsets of their bases."""
    start, end = gene.draft.coding
    spliced = [offset for exon in gene.draft.exons for offset in range(*exon) if start <= offset < end]
    borders = [border for exon in gene.draft.exons for border in exon]
    triples = [spliced[place : place + 3] for place in range(3, 3 * (len(spliced) * 4 // 15), 3)]
    kept = [triple for triple in triples if all(abs(triple[1] - border) >= 8 for border in borders)]
    return [(letters(gene.draft.codes[triple]), triple) for triple in kept]


def _codon_effect(codon: str, place: int, alt: str) -> str:
    changed = codon[:place] + alt + codon[place + 1 :]
    if changed in _STOPS:
        return "stop_gained"
    return "synonymous" if GENETIC_CODE[changed] == GENETIC_CODE[codon] else "missense"


def _frameshift(sampler: Sampler, contig: Contig, gene: PlacedGene) -> TrueVariant | None:
    """Delete one or two bases, or insert one, inside a coding exon, 8 bases from its ends."""
    codons = _codons(gene)
    if not codons:
        return None
    for _ in range(20):
        position = gene.position(codons[sampler.integer(0, len(codons) - 1)][1][1])
        variant = _indel(sampler, contig, position, sampler.integer(-2, 1) or 1, "frameshift", gene.name)
        if variant is not None:
            return variant
    return None


def _intronic(sampler: Sampler, contig: Contig, gene: PlacedGene) -> TrueVariant | None:
    """Sample a substitution inside an intron, outside signals and repeats."""
    whole = gene.whole
    places = (true_runs(contig.free[whole.start : whole.end]) + whole.start).tolist()
    if not places:
        return None
    start, end = places[sampler.integer(0, len(places) - 1)]
    return _plain_substitution(sampler, contig, sampler.integer(start, end - 1), "intronic", gene.name)


def _plain_substitution(sampler: Sampler, contig: Contig, position: int, effect: str, gene: str = ".") -> TrueVariant:
    base = contig.sequence(position, position + 1)
    return TrueVariant(contig.name, position + 1, base, (_other_base(sampler, base),), (effect,), gene)


def _draw_outside(sampler: Sampler, outside: list[tuple[int, int]]) -> int:
    start, end = outside[sampler.integer(0, len(outside) - 1)]
    return sampler.integer(start + 10, end - 11)


def _intergenic_substitution(sampler: Sampler, contig: Contig, outside: list[tuple[int, int]]) -> TrueVariant:
    return _plain_substitution(sampler, contig, _draw_outside(sampler, outside), "intergenic")


def _intergenic_indel(sampler: Sampler, contig: Contig, outside: list[tuple[int, int]]) -> TrueVariant:
    while True:
        change = sampler.integer(1, 6) * (1 if sampler.chance(0.5) else -1)
        variant = _indel(sampler, contig, _draw_outside(sampler, outside), change, "intergenic_indel")
        if variant is not None:
            return variant


def _indel(
    sampler: Sampler, contig: Contig, position: int, change: int, effect: str, gene: str = "."
) -> TrueVariant | None:
    """Insert (positive `change`) or delete bases after the anchor at `position`; None if it is not left-aligned."""
    anchor = contig.sequence(position, position + 1)
    changed = (
        letters(sampler.background(change)) if change > 0 else contig.sequence(position + 1, position + 1 - change)
    )
    if changed[-1] == anchor:
        return None
    ref, alt = (anchor, anchor + changed) if change > 0 else (anchor + changed, anchor)
    return TrueVariant(contig.name, position + 1, ref, (alt,), (effect,), gene)


def _special_variants(sampler: Sampler, contig: Contig) -> Iterator[TrueVariant]:
    """Yield a multi-allelic site, a deletion spanning a ``*`` site, and a ``<DEL>`` of a complete exon."""
    outside = [(start, end) for start, end in intergenic(contig) if end - start >= 40]
    yield from _multi_allelic(contig)
    yield from _spanned(sampler, contig, outside)
    yield from _exon_deletion(contig)


def _multi_allelic(contig: Contig) -> Iterator[TrueVariant]:
    """Yield both ALT alleles of the first codon whose third base can give a stop codon and a synonymous codon."""
    for gene in contig.genes:
        for codon, offsets in _codons(gene):
            found = {_codon_effect(codon, 2, alt): alt for alt in "ACGT" if alt != codon[2]}
            if {"stop_gained", "synonymous"} <= set(found):
                stop = _substitution(contig, gene, offsets[2], found["stop_gained"], "stop_gained")
                same = _substitution(contig, gene, offsets[2], found["synonymous"], "synonymous")
                effects = (*stop.effects, *same.effects)
                yield TrueVariant(stop.chrom, stop.pos, stop.ref, (*stop.alts, *same.alts), effects, gene.name)
                return


def _spanned(sampler: Sampler, contig: Contig, outside: list[tuple[int, int]]) -> Iterator[TrueVariant]:
    """Yield a neutral deletion of five bases, and inside it a site with ``*`` as its second ALT allele."""
    variant = None
    while variant is None:
        variant = _indel(sampler, contig, _draw_outside(sampler, outside), -5, "intergenic_indel")
    yield variant
    inside = _plain_substitution(sampler, contig, variant.pos + 1, "intergenic")
    yield TrueVariant(inside.chrom, inside.pos, inside.ref, (*inside.alts, "*"), ("intergenic", "spanning_deletion"))


def _exon_deletion(contig: Contig) -> Iterator[TrueVariant]:
    """Yield a deletion of the second exon of the first gene with at least three exons."""
    gene = next((gene for gene in contig.genes if len(gene.draft.exons) >= 3), None)
    if gene is not None:
        exon: Interval = gene.interval(gene.draft.exons[1])
        anchor = contig.sequence(exon.start - 1, exon.start)
        yield TrueVariant(contig.name, exon.start, anchor, ("<DEL>",), ("exon_deletion",), gene.name, exon.end)


_GENE_DRAWS: tuple[Callable[[Sampler, Contig, PlacedGene], TrueVariant | None], ...] = (
    _splice_donor,
    _splice_acceptor,
    _start_lost,
    _promoter,
    _stop_gained,
    _frameshift,
    _synonymous,
    _intronic,
)
