"""Spans of an assembly that are close to its genes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from genolm.errors import InputError
from genolm.files.lines import locate_errors
from genolm.genome.annotation.gff3 import read_genes
from genolm.genome.contig_names import ContigNames, Synonyms
from genolm.training.corpus.masked_bases import Spans, merged


class NearGenes:
    """Spans of each contig within a distance of a gene.

    A gene extends from the first to the last exon of each of its transcripts. Files may use different contig names (see
    `ContigNames`).

    Args:
        files: GTF or GFF3 files.
        distance: maximum distance in bases from a gene.
        synonyms: further names of the contigs of the assembly.

    Raises:
        InputError: a file cannot be read or contains no gene.
    """

    def __init__(self, files: Sequence[Path], distance: int, synonyms: Synonyms = ()) -> None:
        self._files = [_GeneFile(file, distance, synonyms) for file in files]

    def spans(self, contig: str) -> Spans:
        """Return the spans of a contig; they may extend past its end.

        Raises:
            InputError: several contigs of a file match the name, and none is equal to it.
        """
        spans = [span for file in self._files for span in file.spans(contig)]
        return merged(np.array(spans, np.int64)) if spans else np.empty((0, 2), np.int64)


class _GeneFile:
    """Genes of one file, by its own contig names."""

    def __init__(self, file: Path, distance: int, synonyms: Synonyms) -> None:
        self._file = file
        self._spans: dict[str, list[tuple[int, int]]] = {}
        for transcript in read_genes(file):
            gene = transcript.interval
            span = (max(0, gene.start - distance), gene.end + distance)
            self._spans.setdefault(gene.chrom, []).append(span)
        if not self._spans:
            raise InputError("the file contains no genes", file=file, code="empty-input")
        self._names = ContigNames(self._spans, synonyms)

    def spans(self, contig: str) -> list[tuple[int, int]]:
        """Return the spans of one contig."""
        with locate_errors(self._file, None):
            name = self._names.find(contig)
        return [] if name is None else self._spans[name]
