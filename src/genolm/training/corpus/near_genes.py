"""Where the genes of an assembly are, with some distance around them."""

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
    """The stretches of each contig that lie within a distance of a gene.

    A gene reaches from the first to the last exon of each of its transcripts. Each file may name contigs in its own way
    (see `ContigNames`).

    Args:
        files: GTF or GFF3 files.
        distance: bases around each gene.
        synonyms: further names of the contigs of the assembly.

    Raises:
        InputError: a file that cannot be read or has no gene.
    """

    def __init__(self, files: Sequence[Path], distance: int, synonyms: Synonyms = ()) -> None:
        self._files = [_GeneFile(file, distance, synonyms) for file in files]

    def spans(self, contig: str) -> Spans:
        """Return the stretches of one contig; they may reach past its end.

        Raises:
            InputError: a file has several contigs that could be meant, and none of this very name.
        """
        places = [reach for file in self._files for reach in file.places(contig)]
        return merged(np.array(places, np.int64)) if places else np.empty((0, 2), np.int64)


class _GeneFile:
    """Where the genes of one file lie, by its own names of contigs."""

    def __init__(self, file: Path, distance: int, synonyms: Synonyms) -> None:
        self._file = file
        self._places: dict[str, list[tuple[int, int]]] = {}
        for transcript in read_genes(file):
            place = transcript.interval
            reach = (max(0, place.start - distance), place.end + distance)
            self._places.setdefault(place.chrom, []).append(reach)
        if not self._places:
            raise InputError("no gene is in the file", file=file)
        self._names = ContigNames(self._places, synonyms)

    def places(self, contig: str) -> list[tuple[int, int]]:
        """The stretches of one contig."""
        with locate_errors(self._file, None):
            name = self._names.find(contig)
        return [] if name is None else self._places[name]
