"""Open reading frames, found by Pyrodigal with its metagenomic models (Larralde 2022; Hyatt et al. 2012)."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from genolm.errors import GenolmError


class GeneCounts(NamedTuple):
    """What is counted of the genes of one sequence.

    Attributes:
        genes: how many there are.
        partial: those that run over an end of the sequence.
        coding_bases: bases inside a gene, each once.
        gene_bases: lengths of all genes added up.
    """

    genes: int
    partial: int
    coding_bases: int
    gene_bases: int


class GeneFinder:
    """Finds genes; made once, since loading the models takes a moment.

    Raises:
        GenolmError: Pyrodigal is not installed.
    """

    def __init__(self) -> None:
        try:
            pyrodigal = import_module("pyrodigal")
        except ImportError:
            raise GenolmError("genes need pyrodigal, which is not installed: pip install 'genolm[check]'") from None
        self._finder: Any = pyrodigal.GeneFinder(meta=True)

    def spans(self, sequence: str) -> list[tuple[int, int, bool]]:
        """Genes of either strand as (start, end, runs over an end), 0-based and half-open."""
        found = self._finder.find_genes(sequence.encode("ascii"))
        return [(gene.begin - 1, gene.end, bool(gene.partial_begin or gene.partial_end)) for gene in found]

    def count(self, sequence: str) -> GeneCounts:
        """The genes of a sequence, counted."""
        inside = np.zeros(len(sequence), bool)
        spans = self.spans(sequence)
        for start, end, _ in spans:
            inside[start:end] = True
        partial = sum(over for _, _, over in spans)
        return GeneCounts(len(spans), partial, int(inside.sum()), sum(end - start for start, end, _ in spans))
