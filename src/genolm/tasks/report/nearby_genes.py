"""The genes of an annotation on the contigs of a genome: which of them a variant lies in, and one model of each."""

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
_MOST_NAMES = 3


@dataclass(frozen=True, slots=True)
class Genes:
    """Transcripts under the contig names of a genome.

    Attributes:
        transcripts: all that lie on a contig of the genome, in the order of the file.
        elsewhere: how many others there are.
    """

    transcripts: tuple[Transcript, ...]
    elsewhere: int = 0

    def one_each(self) -> list[Transcript]:
        """Return one transcript of every gene and contig: the one with most coding, then exonic bases."""
        best: dict[tuple[str, str], Transcript] = {}
        for one in self.transcripts:
            key = one.gene, one.interval.chrom
            if key not in best or _bases(one) > _bases(best[key]):
                best[key] = one
        return list(best.values())

    def names_at(self, genome: Genome, alleles: Sequence[ScoredAllele]) -> dict[int, str]:
        """Return, by the numbers of the alleles that lie in genes, the names of these; at most three of one allele."""
        bins = _Bins((name, on_contig(genome, place.chrom, place.start, place.end)) for name, place in self.spans())
        found: dict[int, str] = {}
        for number, allele in enumerate(alleles):
            names = bins.at(resolved(genome, allele.chrom), allele.start, allele.end)
            if names:
                further = ", …" if len(names) > _MOST_NAMES else ""
                found[number] = ", ".join(names[:_MOST_NAMES]) + further
        return found

    def spans(self) -> list[tuple[str, Interval]]:
        """Return every gene's name and where it lies, from the first to the last base of its transcripts."""
        spans: dict[tuple[str, str], Interval] = {}
        names: dict[tuple[str, str], str] = {}
        for one in self.transcripts:
            place, key = one.interval, (one.gene, one.interval.chrom)
            before = spans.get(key, place)
            start, end = min(before.start, place.start), max(before.end, place.end)
            spans[key], names[key] = Interval(place.chrom, start, end), one.symbol or one.gene
        return [(names[key], place) for key, place in spans.items()]


def read_nearby_genes(path: str | Path, genome: Genome) -> Genes:
    """Read the transcripts of a GTF, GFF3, GenBank or EMBL file that lie on the contigs of a genome.

    Of GenBank and EMBL every coding sequence counts as a transcript.

    Raises:
        InputError: a file of another kind, or one that cannot be read.
        GenolmError: GenBank or EMBL, and Biopython (extra ``genbank``) is not installed.
    """
    path = Path(path)
    flat = flat_format(path) is not None
    found = [_of_coding(gene) for gene in read_gene_map(path).coding] if flat else list(read_genes(path))
    kept = list(_on(genome, found))
    return Genes(tuple(kept), len(found) - len(kept))


def bed_lines(genes: Genes, regions: Regions) -> Iterator[str]:
    """Yield the BED lines (12 columns) of one transcript of every gene that lies on the regions."""
    for one in genes.one_each():
        place = one.interval
        if regions.overlaps(place.chrom, place.start, place.end):
            coding = one.coding or Interval(place.chrom, place.start, place.start + 1)
            thick = (coding.start, coding.end) if one.coding else (place.start, place.start)
            sizes = ",".join(str(len(exon)) for exon in one.exons)
            starts = ",".join(str(exon.start - place.start) for exon in one.exons)
            name = (one.symbol or one.gene).replace("\t", " ")
            columns = (
                place.chrom,
                place.start,
                place.end,
                name,
                0,
                place.strand,
                *thick,
                0,
                len(one.exons),
                sizes,
                starts,
            )
            yield "\t".join(map(str, columns))


class _Bins:
    """Genes by stretches of 16 kb, so that those at a base are found quickly."""

    def __init__(self, genes: Iterable[tuple[str, Interval]]) -> None:
        self._bins: dict[tuple[str, int], list[tuple[str, Interval]]] = {}
        for name, place in genes:
            for number in range(place.start // _BIN, (place.end - 1) // _BIN + 1):
                self._bins.setdefault((place.chrom, number), []).append((name, place))

    def at(self, chrom: str | None, start: int, end: int) -> list[str]:
        """The names of the genes that overlap ``[start, end)``, each once."""
        if chrom is None:
            return []
        bins = range(start // _BIN, (end - 1) // _BIN + 1)
        near = (gene for number in bins for gene in self._bins.get((chrom, number), ()))
        return list(dict.fromkeys(name for name, place in near if place.start < end and start < place.end))


def _bases(transcript: Transcript) -> tuple[int, int]:
    return sum(map(len, transcript.coding_exons)), sum(map(len, transcript.exons))


def _on(genome: Genome, transcripts: Iterable[Transcript]) -> Iterator[Transcript]:
    """Those on a contig of the genome that do not begin beyond its end, under its name."""
    for one in transcripts:
        chrom = one.interval.chrom
        name = resolved(genome, chrom)
        if name is not None and one.interval.start < genome.lengths[name]:
            exons = tuple(replace(exon, chrom=name) for exon in one.exons)
            coding = None if one.coding is None else replace(one.coding, chrom=name)
            yield replace(one, exons=exons, coding=coding)


def _of_coding(gene: CodingGene) -> Transcript:
    """A coding sequence as a transcript; parts that overlap, as at a ribosomal slippage, are joined."""
    strand = gene.parts[0].strand
    exons = tuple(replace(part, strand=strand) for part in merged(gene.parts))
    whole = Interval(exons[0].chrom, exons[0].start, exons[-1].end, strand)
    return Transcript(gene.id, gene.id, exons, whole)
