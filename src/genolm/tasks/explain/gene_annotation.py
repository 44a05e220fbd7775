"""Gene annotation of the explained regions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genolm.errors import InputError
from genolm.files.lines import locate_errors
from genolm.files.state import FileState, file_state
from genolm.genome.annotation.genes import Transcript
from genolm.genome.annotation.gff3 import read_genes
from genolm.genome.contig_names import ContigNames, Synonyms, chrom_aliases
from genolm.genome.fasta import Genome
from genolm.genome.interval import Interval
from genolm.genome.sequences import SequenceRecord
from genolm.tasks.explain.region_task import contig
from genolm.tasks.reading.sources import Source

REGION_TYPES = ("intergenic", "intron", "exon", "UTR", "coding exon")
"""Types of bases in rising precedence: a base on several transcripts has the last type that applies.

``exon`` is an exon of a transcript without a coding part: every exon if the file has no CDS lines.
"""


@dataclass(frozen=True, slots=True)
class Gene:
    """A gene to draw.

    Attributes:
        name: symbol, or the gene's identifier if the file has no symbol.
        interval: from the first to the last exon of all its transcripts on this contig.
        exons: union of their exons, sorted.
        coding: union of their coding exons, sorted.
    """

    name: str
    interval: Interval
    exons: tuple[Interval, ...]
    coding: tuple[Interval, ...]


@dataclass(frozen=True, slots=True)
class Annotation:
    """Transcripts by contig, under the contig names of the sequences."""

    transcripts: dict[str, list[Transcript]]

    def region_types(self, record: SequenceRecord) -> NDArray[np.uint8]:
        """Return the index into :data:`REGION_TYPES` of every base, in sequence order; both strands count."""
        interval = record.interval or Interval(record.id, 0, len(record.sequence))
        types = np.zeros(len(interval), np.uint8)
        for transcript in self._overlapping(contig(record), interval):
            for kind, part in _parts(transcript):
                covered = types[max(0, part.start - interval.start) : max(0, part.end - interval.start)]
                np.maximum(covered, np.uint8(kind), out=covered)
        return types[::-1] if interval.strand == "-" else types

    def genes(self, chrom: str, start: int, end: int) -> list[Gene]:
        """Return the genes that overlap ``[start, end)``, sorted by position."""
        by_gene: dict[tuple[str, str], list[Transcript]] = defaultdict(list)
        for transcript in self._overlapping(chrom, Interval(chrom, start, end)):
            by_gene[transcript.gene, transcript.interval.strand].append(transcript)
        return sorted((_gene(group) for group in by_gene.values()), key=lambda gene: gene.interval)

    def _overlapping(self, chrom: str, interval: Interval) -> list[Transcript]:
        transcripts = self.transcripts.get(chrom, [])
        return [one for one in transcripts if one.exons[0].start < interval.end and one.exons[-1].end > interval.start]


def read_annotation(path: Path, source: Source) -> Annotation:
    """Read the genes on the contigs of the input, under the contig names of the genome or of the input FASTA.

    Raises:
        InputError: the file cannot be read, none of its genes lies on a contig of the input, or one of its contig
            names matches several of them.

    Notes:
        Once, for transcripts that cannot be used; see `genolm.genome.annotation.gff3.read_genes`.
    """
    contigs = _contigs(source) if source.genome is None else ()
    synonyms = chrom_aliases(source.place if source.genome is None else source.genome)
    return _read(path, source.genome, contigs, synonyms, (file_state(path), file_state(source.genome)))


def check_genes(genes: str | Path | None, source: Source) -> Path | None:
    """Return the path of an annotation after checking that it can be read; None without an annotation.

    Raises:
        InputError: see :func:`read_annotation`.
    """
    if genes is None:
        return None
    read_annotation(Path(genes), source)
    return Path(genes)


@lru_cache(maxsize=4)
def _read(
    path: Path, genome: Path | None, contigs: tuple[str, ...], synonyms: Synonyms, _: tuple[FileState | None, ...]
) -> Annotation:
    names = ContigNames(contigs if genome is None else _names(genome), synonyms)
    transcripts: dict[str, list[Transcript]] = defaultdict(list)
    for transcript in read_genes(path):
        with locate_errors(path, None):
            chrom = names.find(transcript.interval.chrom)
        if chrom is not None:
            transcripts[chrom].append(transcript)
    if not transcripts:
        raise InputError(f"no gene lies on a contig of {genome or 'the input'}", file=path)
    return Annotation(dict(transcripts))


def _names(genome: Path) -> tuple[str, ...]:
    with Genome(genome) as opened:
        return tuple(opened.lengths)


def _contigs(source: Source) -> tuple[str, ...]:
    return tuple(contig(record) for record in source.read())


def _parts(transcript: Transcript) -> Iterable[tuple[int, Interval]]:
    yield REGION_TYPES.index("intron"), transcript.interval
    exonic = "exon" if transcript.coding is None else "UTR"
    yield from ((REGION_TYPES.index(exonic), part) for part in transcript.exons)
    yield from ((REGION_TYPES.index("coding exon"), part) for part in transcript.coding_exons)


def _gene(transcripts: Sequence[Transcript]) -> Gene:
    first = transcripts[0]
    exons = _union(exon for one in transcripts for exon in one.exons)
    coding = _union(exon for one in transcripts for exon in one.coding_exons)
    whole = Interval(exons[0].chrom, exons[0].start, exons[-1].end, exons[0].strand)
    return Gene(first.symbol or first.gene.partition(".")[0], whole, exons, coding)


def _union(parts: Iterable[Interval]) -> tuple[Interval, ...]:
    joined: list[Interval] = []
    for part in sorted(parts):
        if joined and part.start <= joined[-1].end:
            joined[-1] = Interval(part.chrom, joined[-1].start, max(joined[-1].end, part.end), part.strand)
        else:
            joined.append(part)
    return tuple(joined)
