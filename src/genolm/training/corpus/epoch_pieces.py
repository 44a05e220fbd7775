"""Pieces of an epoch: cuts of the documents, strands, and repetition of the sources."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from genolm.training.corpus.split_documents import DocumentSpans


@dataclass(frozen=True, slots=True)
class Pieces:
    """Stretches of documents, each at most as long as a row.

    Attributes:
        buffer_P: index of each piece's buffer.
        offset_P: offset of its first token in the buffer.
        length_P: number of tokens, at least 2.
        reverse_P: whether it is read on the reverse strand.
    """

    buffer_P: NDArray[np.int32]
    offset_P: NDArray[np.int64]
    length_P: NDArray[np.int32]
    reverse_P: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.length_P)

    def select(self, index_P: NDArray[np.int64]) -> Pieces:
        """Return some of the pieces, or all in another order."""
        return Pieces(self.buffer_P[index_P], self.offset_P[index_P], self.length_P[index_P], self.reverse_P[index_P])


def cut_epoch(documents: DocumentSpans, length: int, random: np.random.Generator) -> Pieces:
    """Cut the documents into the pieces of one epoch, not yet shuffled.

    Without weights, every document is cut once. With weights, the source with the most bases relative to its weight is
    shown exactly once, and every other source as often as its weight requires: completely a number of times, cut at new
    phases each time, and a random part of it once more. Shares are exact up to one piece of each source.

    Args:
        documents: documents and their mixing.
        length: tokens of a row.
        random: random generator for phases, strands and parts.
    """
    weights = documents.mixing.weights
    if weights is None:
        return _cut(documents, length, random)
    of_source = [documents.select(np.flatnonzero(documents.sources.code_N == code)) for code in range(len(weights))]
    longest = max(source.bases / weight for source, weight in zip(of_source, weights, strict=True))
    parts = []
    for source, weight in zip(of_source, weights, strict=True):
        if source.bases:
            parts += _repeated(source, longest * weight / source.bases, length, random)
    return _joined(parts)


def _repeated(documents: DocumentSpans, times: float, length: int, random: np.random.Generator) -> list[Pieces]:
    """Cut the documents of one source ``times`` times; at least once."""
    complete = max(1, int(times + 1e-9))
    parts = [_cut(documents, length, random) for _ in range(complete)]
    if times - complete <= 1e-9:
        return parts
    more = _cut(documents, length, random)
    more = more.select(random.permutation(len(more)))
    needed = (times - complete) * int(more.length_P.sum(dtype=np.int64))
    reached = np.cumsum(more.length_P, dtype=np.int64)
    count = int(np.searchsorted(reached, needed, side="left")) + 1
    return [*parts, more.select(np.arange(count).clip(max=len(more) - 1))]


def _cut(documents: DocumentSpans, length: int, random: np.random.Generator) -> Pieces:
    """Cut every document once into rows from a random phase on; the pieces at its ends are shorter."""
    total = documents.length_N
    phase = np.where(total > length, random.integers(0, length, len(documents)), 0)
    full_rows = (total - phase) // length
    count = (phase > 0) + full_rows + ((total - phase) % length > 0)
    document = np.repeat(np.arange(len(documents)), count)
    number = np.arange(len(document)) - np.repeat(np.cumsum(count) - count, count)
    shift = np.where(phase > 0, phase - length, 0)[document]  # a phase is a row that begins before its document
    start = np.maximum(shift + number * length, 0)
    stop = np.minimum(shift + (number + 1) * length, total[document])
    kept = np.flatnonzero(stop - start > 1)
    document, start, stop = document[kept], start[kept], stop[kept]
    pieces = Pieces(
        documents.buffer_N[document],
        documents.offset_N[document] + start,
        (stop - start).astype(np.int32),
        random.random(len(kept)) < documents.mixing.reverse_probability,
    )
    if documents.mixing.strand != "both":
        return pieces
    return _joined([replace(pieces, reverse_P=np.full(len(pieces), reverse)) for reverse in (False, True)])


def _joined(parts: list[Pieces]) -> Pieces:
    return Pieces(
        np.concatenate([part.buffer_P for part in parts]),
        np.concatenate([part.offset_P for part in parts]),
        np.concatenate([part.length_P for part in parts]),
        np.concatenate([part.reverse_P for part in parts]),
    )
