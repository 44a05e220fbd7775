"""Protein-coding genes of an annotation that lie on the contigs of a genome, and their transcripts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from genolm.errors import InputError
from genolm.genome.annotation.genes import Transcript
from genolm.genome.annotation.gff3 import read_genes
from genolm.genome.annotation.transcript_types import PROTEIN_CODING, TranscriptType, read_transcript_types
from genolm.genome.fasta import Genome
from genolm.genome.interval import Interval

MANE, CANONICAL, LONGEST = "MANE_Select", "Ensembl_canonical", "longest"
_PRINCIPAL = (MANE, CANONICAL)


@dataclass(frozen=True, slots=True)
class Gene:
    """A protein-coding gene.

    Attributes:
        id: gene id.
        transcripts: its coding transcripts, on one contig and strand; the principal one is first.
        chosen_by: why that one is first: `MANE`, `CANONICAL` or `LONGEST` (most coding bases, then most exonic bases).
    """

    id: str
    transcripts: tuple[Transcript, ...]
    chosen_by: str

    @property
    def interval(self) -> Interval:
        """Interval from the first to the last base of its transcripts, on its strand."""
        parts = [one.interval for one in self.transcripts]
        return replace(parts[0], start=min(one.start for one in parts), end=max(one.end for one in parts))

    def introns(self) -> tuple[Interval, ...]:
        """Return the introns of its transcripts, each once, by ascending coordinate."""
        return tuple(sorted({intron for one in self.transcripts for intron in one.introns}))


def read_coding_genes(path: Path, genome: Genome, *, every: bool, counts: Counter[str]) -> list[Gene]:
    """Return the protein-coding genes, by contig (in the order of the genome), start, strand and id.

    A gene is protein-coding if its type says so, or, in a file without types, if it has a coding transcript.

    Args:
        path: GTF or GFF3.
        genome: genome with the contigs; other contigs are left out.
        every: keep every coding transcript of a gene instead of the principal one.
        counts: receives the number of genes that were left out.

    Raises:
        InputError: the annotation is invalid, or no protein-coding gene is on a contig of the genome.
    """
    types = read_transcript_types(path)
    by_gene: dict[tuple[str, str, str], list[Transcript]] = {}
    for transcript in read_genes(path):
        if _is_coding(transcript, types):
            place = transcript.interval
            by_gene.setdefault((place.chrom, place.strand, transcript.gene), []).append(transcript)
    placed = [(genome.contig(key[0]), key[2], found) for key, found in by_gene.items()]
    kept = [_gene(name, contig, found, types, every) for contig, name, found in placed if contig is not None]
    counts["genes on other contigs"] = len(placed) - len(kept)
    if not kept:
        raise InputError("no protein-coding gene is on a contig of the genome", file=path)
    complete = [gene for gene in kept if all(_is_complete(one, types) for one in gene.transcripts)]
    counts["genes that lack exons"] = len(kept) - len(complete)
    order = {name: number for number, name in enumerate(genome.lengths)}
    return sorted(complete, key=lambda gene: (order[gene.interval.chrom], gene.interval, gene.id))


def _is_coding(transcript: Transcript, types: Mapping[str, TranscriptType]) -> bool:
    found = types.get(transcript.id)
    gene_type = found.gene_type if found else ""
    return transcript.coding is not None and gene_type in ("", PROTEIN_CODING)


def _is_complete(transcript: Transcript, types: Mapping[str, TranscriptType]) -> bool:
    """Whether the exons extend over the whole transcript; in a file that was cut to regions some may be missing."""
    span = transcript.interval
    return transcript.id not in types or types[transcript.id].span == (str(span.start + 1), str(span.end))


def _gene(
    name: str, contig: str, transcripts: Sequence[Transcript], types: Mapping[str, TranscriptType], every: bool
) -> Gene:
    ranked = sorted((_rank(one, types), number) for number, one in enumerate(transcripts))
    ordered = [_on(transcripts[number], contig) for _, number in ranked]
    rule = (*_PRINCIPAL, LONGEST)[ranked[0][0][0]]
    return Gene(name, tuple(ordered if every else ordered[:1]), rule)


def _rank(transcript: Transcript, types: Mapping[str, TranscriptType]) -> tuple[int, int, int, str]:
    tags = types[transcript.id].tags if transcript.id in types else frozenset[str]()
    rule = next((number for number, tag in enumerate(_PRINCIPAL) if tag in tags), len(_PRINCIPAL))
    return rule, -_bases(transcript.coding_exons), -_bases(transcript.exons), transcript.id


def _bases(parts: Iterable[Interval]) -> int:
    return sum(map(len, parts))


def _on(transcript: Transcript, contig: str) -> Transcript:
    """Return the transcript with the name that the genome gives its contig."""
    exons = tuple(replace(exon, chrom=contig) for exon in transcript.exons)
    coding = None if transcript.coding is None else replace(transcript.coding, chrom=contig)
    return replace(transcript, exons=exons, coding=coding)
