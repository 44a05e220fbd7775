"""Simulated contigs: background, genes, interspersed and tandem repeats, gaps, ambiguity codes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from genolm.genome.annotation.genes import Transcript
from genolm.genome.interval import Interval
from genolm.genome.simulation import human_figures as figures
from genolm.genome.simulation.simulated_genes import (
    UPSTREAM,
    Codes,
    DraftGene,
    Sampler,
    Span,
    codes_of,
    draw_gene,
    letters,
)
from genolm.genome.spans import true_runs

END_GAP = 500  # N at the start of the first contig
INNER_GAP = 200  # N inside the first contig
SPACING = (1200, 4200)  # bases between two genes
INTRON_MARGIN = (60, 80)  # bases of an intron, after its start and before its end, that no repeat covers
REPEAT_SHARE = 0.3  # of the bases that no gene signal needs
TANDEM_COUNT = 3  # per 100,000 bases, at least one on every contig with genes
AMBIGUOUS = "RYSWKM"  # one of each on the first contig
MIN_GENE_CONTIG = 8000  # a shorter contig has background only

_COMPLEMENT = np.array([3, 2, 1, 0], np.uint8)
_TRANSITION = np.array([2, 3, 0, 1], np.uint8)


@dataclass(frozen=True, slots=True)
class Family:
    """A family of interspersed repeats.

    Attributes:
        name: name in the BED file.
        consensus: base codes of a full-length copy.
        divergence: mean fraction of substituted bases; transitions are twice as frequent as transversions.
        shortest: minimum length of a copy in bases; copies are truncated at the 5' end.
        share: fraction of all repeat copies.
    """

    name: str
    consensus: Codes
    divergence: float
    shortest: int
    share: float


@dataclass(frozen=True, slots=True)
class PlacedGene:
    """A simulated gene on a contig; `start` is its lowest coordinate, 0-based."""

    name: str
    chrom: str
    start: int
    strand: str
    draft: DraftGene

    def position(self, offset: int) -> int:
        """Return the 0-based coordinate of an offset."""
        last = len(self.draft.codes) - 1
        return self.start + (offset if self.strand == "+" else last - offset)

    def interval(self, span: Span) -> Interval:
        """Return the interval of a span of offsets, on the strand of the gene."""
        ends = self.position(span[0]), self.position(span[1] - 1)
        return Interval(self.chrom, min(ends), max(ends) + 1, self.strand)

    @property
    def whole(self) -> Interval:
        """Promoter, transcript and downstream region."""
        return self.interval((0, len(self.draft.codes)))

    @property
    def transcript(self) -> Transcript:
        """The transcript of the gene."""
        exons = tuple(sorted(self.interval(exon) for exon in self.draft.exons))
        return Transcript(f"{self.name}.1", self.name, exons, self.interval(self.draft.coding))


@dataclass(slots=True)
class Contig:
    """A contig during simulation.

    Attributes:
        name: contig name.
        text: ASCII upper-case letters of the forward strand, ``(bases,)``.
        masked: bases written in lower case (repeats), ``(bases,)``.
        free: bases outside gene signals, available for repeats, gaps and neutral variants, ``(bases,)``.
        genes: genes by ascending coordinate.
        repeats: interspersed and tandem repeats with the name of their family.
    """

    name: str
    text: NDArray[np.uint8]
    masked: NDArray[np.bool_]
    free: NDArray[np.bool_]
    genes: list[PlacedGene] = field(default_factory=list)
    repeats: list[tuple[Interval, str]] = field(default_factory=list)

    def sequence(self, start: int, end: int) -> str:
        """Return upper-case letters of ``[start, end)``."""
        return self.text[start:end].tobytes().decode()

    def soft_masked(self) -> str:
        """Return the contig with repeats in lower case."""
        return np.where(self.masked, self.text | 0x20, self.text).astype(np.uint8).tobytes().decode()


def draw_families(sampler: Sampler) -> tuple[Family, ...]:
    """Return human Alu, and two families with a random consensus."""
    return (
        Family("ALU", codes_of(figures.ALU), 0.08, 200, 0.5),
        Family("LINE", sampler.background(1200), 0.14, 250, 0.3),
        Family("MIR", sampler.background(180), 0.24, 90, 0.2),
    )


def draw_contig(
    sampler: Sampler, name: str, length: int, families: tuple[Family, ...], *, first: bool, genes_before: int
) -> Contig:
    """Simulate a contig; the first one also gets the gaps and ambiguity codes."""
    text = np.frombuffer(letters(sampler.background(length)).encode(), np.uint8).copy()
    contig = Contig(name, text, np.zeros(length, np.bool_), np.ones(length, np.bool_))
    if length < MIN_GENE_CONTIG:
        return contig
    _place_genes(sampler, contig, genes_before)
    if first:
        _place_gaps_and_ambiguous(sampler, contig)
    _place_tandem_repeats(sampler, contig)
    _place_repeats(sampler, contig, families)
    return contig


def complement(codes: Codes) -> Codes:
    """Return the reverse complement of base codes."""
    return np.asarray(_COMPLEMENT[codes][::-1])


def _place_genes(sampler: Sampler, contig: Contig, genes_before: int) -> None:
    start = END_GAP + sampler.integer(*SPACING)
    while True:
        draft, strand = draw_gene(sampler), "+" if sampler.chance(0.5) else "-"
        if start + len(draft.codes) + SPACING[0] > len(contig.text):
            return
        gene = PlacedGene(f"SIM{genes_before + len(contig.genes) + 1:04d}", contig.name, start, strand, draft)
        contig.genes.append(gene)
        _write(contig, start, draft.codes if strand == "+" else complement(draft.codes))
        contig.free[start : start + len(draft.codes)] = False
        for intron in draft.introns:
            _free_inside(contig, gene, intron)
        start += len(draft.codes) + sampler.integer(*SPACING)


def _free_inside(contig: Contig, gene: PlacedGene, intron: Span) -> None:
    start, end = intron[0] + INTRON_MARGIN[0], intron[1] - INTRON_MARGIN[1]
    if start < end:
        inner = gene.interval((start, end))
        contig.free[inner.start : inner.end] = True


def _write(contig: Contig, start: int, codes: Codes) -> None:
    contig.text[start : start + len(codes)] = np.frombuffer(letters(codes).encode(), np.uint8)


def _place_repeats(sampler: Sampler, contig: Contig, families: tuple[Family, ...]) -> None:
    target = REPEAT_SHARE * contig.free.sum()
    shares = [family.share for family in families]
    placed = 0
    while placed < target:
        family = families[int(sampler.random.choice(len(families), p=shares))]
        copy = _draw_copy(sampler, family)
        strand = "+" if sampler.chance(0.5) else "-"
        start = _draw_start(sampler, contig, len(copy))
        if start is None:
            return
        _put_repeat(contig, start, copy if strand == "+" else complement(copy), family.name, strand)
        placed += len(copy)


def _place_tandem_repeats(sampler: Sampler, contig: Contig) -> None:
    for _ in range(max(1, round(TANDEM_COUNT * len(contig.text) / 100_000))):
        unit = sampler.background(sampler.integer(1, 6))
        codes = np.tile(unit, sampler.integer(12, 30))
        start = _draw_start(sampler, contig, len(codes))
        if start is not None:
            _put_repeat(contig, start, codes, f"({letters(unit)})n", "+")


def _draw_copy(sampler: Sampler, family: Family) -> Codes:
    length = sampler.integer(family.shortest, len(family.consensus))
    copy = family.consensus[-length:].copy()
    changed = sampler.random.random(length) < family.divergence
    transition = sampler.random.random(length) < 2 / 3
    other = (copy + np.where(sampler.random.random(length) < 0.5, 1, 3)).astype(np.uint8) % 4
    return np.asarray(np.where(changed, np.where(transition, _TRANSITION[copy], other), copy), np.uint8)


def _put_repeat(contig: Contig, start: int, codes: Codes, name: str, strand: str) -> None:
    end = start + len(codes)
    _write(contig, start, codes)
    contig.masked[start:end] = True
    contig.free[start:end] = False
    contig.repeats.append((Interval(contig.name, start, end, strand), name))


def _draw_start(sampler: Sampler, contig: Contig, length: int) -> int | None:
    """Sample a start with `length` free bases and a margin of ten on both sides; None if there is no space left."""
    starts = [
        (start + 10, end - 10 - length) for start, end in true_runs(contig.free).tolist() if end - start >= length + 20
    ]
    if not starts:
        return None
    sizes = np.array([high - low + 1 for low, high in starts])
    low, high = starts[int(sampler.random.choice(len(starts), p=sizes / sizes.sum()))]
    return sampler.integer(low, high)


def _place_gaps_and_ambiguous(sampler: Sampler, contig: Contig) -> None:
    _put_letters(contig, 0, "N" * END_GAP)
    inner = _draw_start(sampler, contig, INNER_GAP)
    if inner is not None:
        _put_letters(contig, inner, "N" * INNER_GAP)
    for letter in AMBIGUOUS:
        start = _draw_start(sampler, contig, 1)
        if start is not None:
            _put_letters(contig, start, letter)


def _put_letters(contig: Contig, start: int, text: str) -> None:
    end = start + len(text)
    contig.text[start:end] = np.frombuffer(text.encode(), np.uint8)
    contig.masked[start:end] = False
    contig.free[start:end] = False


def intergenic(contig: Contig) -> Iterator[Span]:
    """Yield free spans between genes, without repeats, gaps and ambiguity codes."""
    outside = contig.free.copy()
    for gene in contig.genes:
        outside[gene.whole.start : gene.whole.end] = False
    yield from ((start, end) for start, end in true_runs(outside).tolist())


def tss(gene: PlacedGene) -> int:
    """Return the transcription start, 0-based."""
    return gene.position(UPSTREAM)
