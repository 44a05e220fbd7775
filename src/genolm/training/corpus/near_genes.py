"""Where the genes of an assembly are, with some distance around them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from genolm.errors import InputError
from genolm.genome.fasta import contig_alias
from genolm.genome.gff3 import read_genes
from genolm.training.corpus.quality import Spans, merged


class NearGenes:
    """The stretches of each contig that lie within a distance of a gene.

    A gene reaches from the first to the last exon of each of its transcripts. Contigs are compared by alias.

    Args:
        files: GTF or GFF3 files.
        distance: bases around each gene.

    Raises:
        InputError: a file that cannot be read or has no gene.
    """

    def __init__(self, files: Sequence[Path], distance: int) -> None:
        found: dict[str, list[tuple[int, int]]] = {}
        for file in files:
            before = sum(map(len, found.values()))
            for transcript in read_genes(file):
                place = transcript.interval
                reach = (max(0, place.start - distance), place.end + distance)
                found.setdefault(contig_alias(place.chrom), []).append(reach)
            if sum(map(len, found.values())) == before:
                raise InputError("no gene is in the file", file=file)
        self._spans = {name: merged(np.array(places, np.int64)) for name, places in found.items()}

    def spans(self, contig: str) -> Spans:
        """The stretches of one contig; they may reach past its end."""
        return self._spans.get(contig_alias(contig), np.empty((0, 2), np.int64))
