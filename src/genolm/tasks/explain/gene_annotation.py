"""What the genes of a file say about every base of a region."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genolm.errors import InputError
from genolm.files.lines import placed
from genolm.files.state import FileState, file_state
from genolm.genome.annotation.genes import Transcript
from genolm.genome.annotation.gff3 import read_genes
from genolm.genome.contig_names import ContigNames
from genolm.genome.fasta import Genome
from genolm.genome.interval import Interval
from genolm.genome.sequences import SequenceRecord
from genolm.tasks.explain.region_task import contig
from genolm.tasks.reading.sources import Source

REGION_TYPES = ("intergenic", "intron", "exon", "UTR", "coding exon")
"""By rising precedence: where transcripts disagree, a base is the last of these that any of them calls it.

``exon`` is an exon of a transcript without a coding part, which is every exon where the file has no CDS lines.
"""


@dataclass(frozen=True, slots=True)
class Gene:
    """A gene as it is drawn.

    Attributes:
        name: symbol, or the gene's identifier where the file has none.
        interval: from the first to the last exon of all its transcripts on this contig.
        exons: union of their exons, by rising coordinate.
        coding: union of their coding exons.
    """

    name: str
    interval: Interval
    exons: tuple[Interval, ...]
    coding: tuple[Interval, ...]


@dataclass(frozen=True, slots=True)
class Annotation:
    """Transcripts by contig, named as the sequences name their contigs."""

    transcripts: dict[str, list[Transcript]]

    def region_types(self, record: SequenceRecord) -> NDArray[np.uint8]:
        """For every base, in the order of the sequence, its number in :data:`REGION_TYPES`; both strands count."""
        where = record.interval or Interval(record.id, 0, len(record.sequence))
        types = np.zeros(len(where), np.uint8)
        for transcript in self._overlapping(contig(record), where):
            for kind, part in _parts(transcript):
                own = types[max(0, part.start - where.start) : max(0, part.end - where.start)]
                np.maximum(own, np.uint8(kind), out=own)
        return types[::-1] if where.strand == "-" else types

    def genes(self, chrom: str, start: int, end: int) -> list[Gene]:
        """The genes that reach into ``[start, end)``, by where they begin."""
        found: dict[tuple[str, str], list[Transcript]] = defaultdict(list)
        for transcript in self._overlapping(chrom, Interval(chrom, start, end)):
            found[transcript.gene, transcript.interval.strand].append(transcript)
        return sorted((_gene(group) for group in found.values()), key=lambda gene: gene.interval)

    def _overlapping(self, chrom: str, where: Interval) -> list[Transcript]:
        own = self.transcripts.get(chrom, [])
        return [one for one in own if one.exons[0].start < where.end and one.exons[-1].end > where.start]


def read_annotation(path: Path, source: Source) -> Annotation:
    """The genes on the contigs of the input, named as the genome (or the FASTA of the input) names them.

    Raises:
        InputError: a file that cannot be read, none of whose genes lies on a contig of the input's, or one of whose
            contigs could be several of them.

    Warns:
        UserWarning: once, of what cannot be used; see `genolm.genome.annotation.gff3.read_genes`.
    """
    contigs = _contigs(source) if source.genome is None else ()
    return _read(path, source.genome, contigs, (file_state(path), file_state(source.genome)))


def check_genes(genes: str | Path | None, source: Source) -> Path | None:
    """Return the path of an annotation after reading it for its errors; None without one.

    Raises:
        InputError: see :func:`read_annotation`.
    """
    if genes is None:
        return None
    read_annotation(Path(genes), source)
    return Path(genes)


@lru_cache(maxsize=4)
def _read(path: Path, genome: Path | None, contigs: tuple[str, ...], _: tuple[FileState | None, ...]) -> Annotation:
    names = ContigNames(contigs if genome is None else _names(genome))
    transcripts: dict[str, list[Transcript]] = defaultdict(list)
    for transcript in read_genes(path):
        with placed(path, None):
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
