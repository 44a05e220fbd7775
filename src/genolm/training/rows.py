"""Rows of tokens: what a feed gives to an objective.

Shapes: R rows, L tokens of a row, P places, i.e. documents of all rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

PLACE = np.dtype(
    [("row", "i8"), ("document", "i8"), ("contig", "i8"), ("start", "i8"), ("end", "i8"), ("reverse", "?")]
)
"""Place of a document: its row, its number in the row, the index of its contig, the interval, and the strand."""


class Places(NamedTuple):
    """Genomic position of every document in some rows; 0-based and half-open.

    Attributes:
        contigs: distinct names of contigs.
        table_P: places, with the fields of :data:`PLACE`. ``document`` is that of ``documents_RL``, and 0 in rows of
            one document; with ``reverse`` a document is read from ``end`` down to ``start``.
    """

    contigs: tuple[str, ...]
    table_P: NDArray[Any]

    @classmethod
    def of(cls, contigs: tuple[str, ...], places: Sequence[tuple[int, int, int, int, int, bool]]) -> Places:
        """Collect places given in the order of the fields."""
        return cls(contigs, np.array(list(places), PLACE))

    def of_rows(self, rows: slice, count: int) -> Places:
        """Return the places of some of ``count`` rows, numbered from 0."""
        selected = np.arange(count)[rows]
        new = np.full(count, -1)
        new[selected] = np.arange(len(selected))
        table = self.table_P[new[self.table_P["row"]] >= 0].copy()
        table["row"] = new[table["row"]]
        return Places(self.contigs, table)


class Rows(NamedTuple):
    """Rows of a training batch, or of one process's share of it.

    Attributes:
        ids_RL: token ids; padded at the end. For next-token prediction a row has one token more than its context.
        documents_RL: document of each token, -1 for padding and separators; None if each row of the batch is one
            document.
        targets: what the objective compares predictions with, of any type and shape (R, …): original ids of masked
            tokens (negative elsewhere), labels, tracks, or which tokens of an answer count; None if the tokens
            themselves are the targets.
        lengths_R: tokens of each row without padding; None if there is no padding, or ``documents_RL`` marks it.
        places: genomic position of the documents; None if it is unknown.
        counted_RL: tokens that count in the loss; None if the objective knows them from the tokens or targets.
    """

    ids_RL: NDArray[Any]
    documents_RL: NDArray[np.int32] | None
    targets: NDArray[Any] | None = None
    lengths_R: NDArray[np.int64] | None = None
    places: Places | None = None
    counted_RL: NDArray[np.bool_] | None = None

    def select(self, rows: slice) -> Rows:
        """Return some of the rows."""
        documents = None if self.documents_RL is None else self.documents_RL[rows]
        targets = None if self.targets is None else self.targets[rows]
        lengths = None if self.lengths_R is None else self.lengths_R[rows]
        places = None if self.places is None else self.places.of_rows(rows, len(self.ids_RL))
        counted = None if self.counted_RL is None else self.counted_RL[rows]
        return Rows(self.ids_RL[rows], documents, targets, lengths, places, counted)
