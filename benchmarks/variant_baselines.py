"""Baselines that separate (likely) pathogenic from (likely) benign variants: composition, kind of change, region.

All functions return values that are higher for variants predicted to be more damaging, and NaN if undefined.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genolm.files.lines import text_lines
from genolm.genome.annotation.genes import Transcript
from genolm.genome.annotation.gff3 import attributes, read_genes
from genolm.genome.fasta import Genome
from genolm.genome.variant import Variant
from genolm.statistics.markov import MarkovModel
from genolm.tasks.reading.allele_strands import Site, Strand

Float64 = NDArray[np.float64]
INTRON, EXON, CODING, SPLICE = 1, 2, 3, 4  # outside of coding genes: 0
LOCUS = 100_000
_DIGITS = np.full(256, -1, np.int64)
_DIGITS[np.frombuffer(b"ACGT", np.uint8)] = range(4)
_TRANSITIONS = {"AG", "GA", "CT", "TC"}


def markov(model: MarkovModel, genome: Genome, variants: Sequence[Variant], horizon: int) -> Float64:
    """Return the negated scores of a Markov model, computed as in `genolm variants --rc`, (M,), in nats.

    Args:
        model: counts and smoothing strengths.
        genome: reference genome.
        variants: variants to score.
        horizon: number of bases to score from the first difference on; 1 for the site alone.
    """
    sites = [(row, site) for row, variant in enumerate(variants) for site in _sites(model, genome, variant, horizon)]
    texts = [text for _, site in sites for text in site]
    starts = np.cumsum([0, *map(len, texts)])
    # One call, because the model sums its counts in each call.
    bits = model.bits(np.concatenate([*texts, np.zeros(0, np.int64)]))
    bits = np.concatenate([np.zeros(model.order), bits])
    sums = np.array([bits[at + model.order : end].sum() for at, end in pairwise(starts)]).reshape(-1, 2)
    strands = np.full((len(variants), 2), np.nan)
    for place, (row, _) in enumerate(sites):
        strands[row, int(np.isfinite(strands[row, 0]))] = (sums[place, 1] - sums[place, 0]) * np.log(2)
    return np.asarray(strands.mean(1))


def _sites(
    model: MarkovModel, genome: Genome, variant: Variant, horizon: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return the encoded REF and ALT sequences on both strands, preceded by the context of the model."""
    for strand in (Strand(genome, variant.chrom, reverse) for reverse in (False, True)):
        site = strand.site(strand.edit(variant), horizon)
        if not isinstance(site, Site) or site.start < model.order:
            continue
        before = strand.fetch(site.start - model.order, site.start)
        reference = strand.fetch(site.start, site.start + len(site.suffix))
        first, second = (
            _DIGITS[np.frombuffer((before + text).encode(), np.uint8)] for text in (reference, site.suffix)
        )
        if min(first.min(), second.min()) >= 0:
            yield first, second


def cpg_transition(genome: Genome, variants: Iterable[Variant]) -> Float64:
    """Return 1 for SNVs that are C to T in CpG on either strand, otherwise 0."""
    return np.array([float(_is_cpg_transition(genome, variant)) for variant in variants])


def _is_cpg_transition(genome: Genome, variant: Variant) -> bool:
    change, at = variant.ref + variant.alt, variant.pos - 1
    around = genome.fetch(variant.chrom, max(0, at - 1), at + 2)
    return (change == "CT" and around[1:] == "CG") or (change == "GA" and around[:2] == "CG")


def transversion(variants: Iterable[Variant]) -> Float64:
    """Return 1 for transversions (purine to pyrimidine or the reverse), otherwise 0."""
    return np.array([float(variant.ref + variant.alt not in _TRANSITIONS) for variant in variants])


def length_change(variants: Iterable[Variant]) -> Float64:
    """Return the length difference of the alleles in bases."""
    return np.array([float(abs(len(variant.alt) - len(variant.ref))) for variant in variants])


def frameshift(variants: Iterable[Variant]) -> Float64:
    """Return 1 if the length difference is not a multiple of three, otherwise 0."""
    return (length_change(variants) % 3 > 0).astype(np.float64)


class GeneMap:
    """Coding genes of an annotation: the region of a variant, and its locus for resampling.

    Args:
        path: GTF or GFF3 file.
        lengths: contig lengths in bases.
    """

    def __init__(self, path: Path, lengths: dict[str, int]) -> None:
        self._regions = {chrom: np.zeros(length + 2, np.uint8) for chrom, length in lengths.items()}
        self._genes: dict[str, list[tuple[int, int, str]]] = {chrom: [] for chrom in lengths}
        self._symbols = _gencode_symbols(path)
        for transcript in read_genes(path):
            if transcript.coding is not None and transcript.interval.chrom in lengths:
                self._add(transcript)

    def _add(self, transcript: Transcript) -> None:
        whole = transcript.interval
        self._genes[whole.chrom].append(
            (whole.start, whole.end, transcript.symbol or self._symbols.get(transcript.gene, transcript.gene))
        )
        self._raise(whole.chrom, whole.start, whole.end, INTRON)
        for exon in transcript.exons:
            self._raise(exon.chrom, exon.start, exon.end, EXON)
        for exon in transcript.coding_exons:
            self._raise(exon.chrom, exon.start, exon.end, CODING)
        for intron in transcript.introns:
            self._raise(intron.chrom, intron.start, min(intron.start + 2, intron.end), SPLICE)
            self._raise(intron.chrom, max(intron.end - 2, intron.start), intron.end, SPLICE)

    def _raise(self, chrom: str, start: int, end: int, level: int) -> None:
        part = self._regions[chrom][start:end]
        np.maximum(part, level, out=part)

    def region(self, variant: Variant) -> int:
        """Return 4 (intronic, within 2 bases of a splice site), 3 (CDS), 2 (other exon), 1 (intron) or 0 (other).

        The maximum over all bases of REF and all transcripts of coding genes.
        """
        start = variant.pos - 1
        return int(
            self._regions[variant.chrom][start : start + max(2, len(variant.ref)) - (variant.kind == "snv")].max()
        )

    def locus(self, variant: Variant) -> str:
        """Return a coding gene that overlaps the variant, or otherwise its 100 kb bin."""
        at = variant.pos - 1
        genes = {name for start, end, name in self._genes[variant.chrom] if start <= at < end}
        return min(genes, default=f"{variant.chrom}:{at // LOCUS}")


def _gencode_symbols(path: Path) -> dict[str, str]:
    """Return gene symbols by gene id from a GFF3 in GENCODE style (``gene_name``)."""
    columns = (line.split("\t") for _, line in text_lines(path) if "\tgene\t" in line)
    told = (attributes(one[8]) for one in columns if len(one) == 9)
    return {one["ID"]: one["gene_name"] for one in told if one.keys() >= {"ID", "gene_name"}}
