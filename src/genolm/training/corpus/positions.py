"""Genomic positions of what rows are read from: from places in buffers to contigs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from genolm.training.corpus.split_documents import DocumentSpans
from genolm.training.rows import Places

_WIDEST = 40  # bits of an offset in a buffer


class Stretch(NamedTuple):
    """Bases of one document in a row.

    Attributes:
        buffer: index of the buffer that they are read from.
        first: first base in the buffer.
        last: one past the last base.
        reverse: whether they are read on the reverse strand.
        row: row that they belong to.
        document: number of the document in the row.
    """

    buffer: int
    first: int
    last: int
    reverse: bool
    row: int = 0
    document: int = 0


class Positions:
    """Finds the contig of a stretch.

    Args:
        documents: documents of a split; a stretch lies within one of them.
    """

    def __init__(self, documents: DocumentSpans) -> None:
        self._documents = documents
        keys_N = documents.buffer_N.astype(np.int64) << _WIDEST | documents.offset_N
        self._order_N = np.argsort(keys_N, kind="stable")
        self._keys_N = keys_N[self._order_N]

    def places(self, stretches: Sequence[Stretch]) -> Places:
        """Return the places of stretches; contigs of a named assembly are called ``ASSEMBLY/CONTIG``."""
        numbers: dict[str, int] = {}
        places = []
        for stretch in stretches:
            key = (stretch.buffer << _WIDEST) | stretch.first
            document = int(self._order_N[np.searchsorted(self._keys_N, key, side="right") - 1])
            shift = int(self._documents.start_N[document]) - int(self._documents.offset_N[document])
            number = numbers.setdefault(self._name(document), len(numbers))
            interval = (stretch.first + shift, stretch.last + shift)
            places.append((stretch.row, stretch.document, number, *interval, stretch.reverse))
        return Places.of(tuple(numbers), places)

    def _name(self, document: int) -> str:
        assembly, contig = self._documents.assemblies[document], self._documents.contigs[document]
        return f"{assembly}/{contig}" if assembly else contig
