"""Gene finding by Pyrodigal with its metagenomic models (Larralde 2022; Hyatt et al. 2012)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from genolm.files.optional import require


class GeneCounts(NamedTuple):
    """Counts of the genes of one sequence.

    Attributes:
        genes: number of genes.
        partial: genes that extend beyond an end of the sequence.
        coding_bases: bases inside a gene, each counted once.
        gene_bases: sum of the lengths of all genes.
    """

    genes: int
    partial: int
    coding_bases: int
    gene_bases: int


class GeneFinder:
    """A gene finder; creating it loads the models.

    Raises:
        GenolmError: Pyrodigal is not installed.
    """

    def __init__(self) -> None:
        pyrodigal = require("pyrodigal", extra="check", purpose="gene finding")
        self._finder: Any = pyrodigal.GeneFinder(meta=True)

    def spans(self, sequence: str) -> list[tuple[int, int, bool]]:
        """Return the genes of both strands as (start, end, partial), 0-based and half-open."""
        genes = self._finder.find_genes(sequence.encode("ascii"))
        return [(gene.begin - 1, gene.end, bool(gene.partial_begin or gene.partial_end)) for gene in genes]

    def count(self, sequence: str) -> GeneCounts:
        """Count the genes of a sequence."""
        inside = np.zeros(len(sequence), bool)
        spans = self.spans(sequence)
        for start, end, _ in spans:
            inside[start:end] = True
        partial = sum(is_partial for _, _, is_partial in spans)
        return GeneCounts(len(spans), partial, int(inside.sum()), sum(end - start for start, end, _ in spans))
