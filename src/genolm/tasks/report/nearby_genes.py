"""Genes of an annotation on the contigs of a genome: those that a variant overlaps, and one transcript of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from genolm.genome.annotation.gene_map import CodingGene, read_gene_map
from genolm.genome.annotation.genes import Transcript
from genolm.genome.annotation.gff3 import read_genes
from genolm.genome.fasta import Genome
from genolm.genome.flat_files import flat_format
from genolm.genome.interval import Interval
from genolm.tasks.report.report_regions import Regions, merged, on_contig, resolved
from genolm.tasks.report.scored_variants import ScoredAllele

_BIN = 1 << 14
_MAX_NAMES = 3


@dataclass(frozen=True, slots=True)
class Genes:
    """Transcripts under the contig names of a genome.

    Attributes:
        transcripts: transcripts on contigs of the genome, in the order of the file.
        elsewhere: number of other transcripts.
    """

    transcripts: tuple[Transcript, ...]
    elsewhere: int = 0

    def one_each(self) -> list[Transcript]:
        """Return one transcript per gene and contig: the one with the most coding, then exonic bases."""
        best: dict[tuple[str, str], Transcript] = {}
        for one in self.transcripts:
            key = one.gene, one.interval.chrom
            if key not in best or _bases(one) > _bases(best[key]):
                best[key] = one
        return list(best.values())

    def names_at(self, genome: Genome, alleles: Sequence[ScoredAllele]) -> dict[int, str]:
        """Return the names of overlapping genes by the index of the allele; at most three per allele."""
        bins = _Bins((name, on_contig(genome, span.chrom, span.start, span.end)) for name, span in self.spans())
        names_by_allele: dict[int, str] = {}
        for number, allele in enumerate(alleles):
            names = bins.at(resolved(genome, allele.chrom), allele.start, allele.end)
            if names:
                further = ", …" if len(names) > _MAX_NAMES else ""
                names_by_allele[number] = ", ".join(names[:_MAX_NAMES]) + further
        return names_by_allele

    def spans(self) -> list[tuple[str, Interval]]:
        """Return the name of every gene and its interval, from the first to the last base of its transcripts."""
        spans: dict[tuple[str, str], Interval] = {}
        names: dict[tuple[str, str], str] = {}
        for one in self.transcripts:
            interval, key = one.interval, (one.gene, one.interval.chrom)
            before = spans.get(key, interval)
            start, end = min(before.start, interval.start), max(before.end, interval.end)
            spans[key], names[key] = Interval(interval.chrom, start, end), one.symbol or one.gene
        return [(names[key], interval) for key, interval in spans.items()]


def read_nearby_genes(path: str | Path, genome: Genome) -> Genes:
    """Read the transcripts of a GTF, GFF3, GenBank or EMBL file that lie on the contigs of a genome.

    In GenBank and EMBL every coding sequence counts as a transcript.

    Raises:
        InputError: the file is of another format or cannot be read.
        GenolmError: Biopython (extra ``genbank``) is needed for GenBank or EMBL and not installed.
    """
    path = Path(path)
    flat = flat_format(path) is not None
    transcripts = [_of_coding(gene) for gene in read_gene_map(path).coding] if flat else list(read_genes(path))
    kept = list(_on(genome, transcripts))
    return Genes(tuple(kept), len(transcripts) - len(kept))


def bed_lines(genes: Genes, regions: Regions) -> Iterator[str]:
    """Yield BED12 lines of one transcript per gene on the regions."""
    for one in genes.one_each():
        interval = one.interval
        if regions.overlaps(interval.chrom, interval.start, interval.end):
            coding = one.coding or Interval(interval.chrom, interval.start, interval.start + 1)
            thick = (coding.start, coding.end) if one.coding else (interval.start, interval.start)
            sizes = ",".join(str(len(exon)) for exon in one.exons)
            starts = ",".join(str(exon.start - interval.start) for exon in one.exons)
            name = (one.symbol or one.gene).replace("\t", " ")
            columns = (
                interval.chrom,
                interval.start,
                interval.end,
                name,
                0,
                interval.strand,
                *thick,
                0,
                len(one.exons),
                sizes,
                starts,
            )
            yield "\t".join(map(str, columns))


class _Bins:
    """An index of genes by bins of 16 kb."""

    def __init__(self, genes: Iterable[tuple[str, Interval]]) -> None:
        self._bins: dict[tuple[str, int], list[tuple[str, Interval]]] = {}
        for name, interval in genes:
            for number in range(interval.start // _BIN, (interval.end - 1) // _BIN + 1):
                self._bins.setdefault((interval.chrom, number), []).append((name, interval))

    def at(self, chrom: str | None, start: int, end: int) -> list[str]:
        """Return the names of the genes that overlap ``[start, end)``, each once."""
        if chrom is None:
            return []
        bins = range(start // _BIN, (end - 1) // _BIN + 1)
        near = (gene for number in bins for gene in self._bins.get((chrom, number), ()))
        return list(dict.fromkeys(name for name, interval in near if interval.start < end and start < interval.end))


def _bases(transcript: Transcript) -> tuple[int, int]:
    return sum(map(len, transcript.coding_exons)), sum(map(len, transcript.exons))


def _on(genome: Genome, transcripts: Iterable[Transcript]) -> Iterator[Transcript]:
    """Yield the transcripts that start on a contig of the genome, under its contig names."""
    for one in transcripts:
        chrom = one.interval.chrom
        name = resolved(genome, chrom)
        if name is not None and one.interval.start < genome.lengths[name]:
            exons = tuple(replace(exon, chrom=name) for exon in one.exons)
            coding = None if one.coding is None else replace(one.coding, chrom=name)
            yield replace(one, exons=exons, coding=coding)


def _of_coding(gene: CodingGene) -> Transcript:
    """Convert a coding sequence to a transcript; overlapping parts, as in ribosomal slippage, are merged."""
    strand = gene.parts[0].strand
    exons = tuple(replace(part, strand=strand) for part in merged(gene.parts))
    complete = Interval(exons[0].chrom, exons[0].start, exons[-1].end, strand)
    return Transcript(gene.id, gene.id, exons, complete)
