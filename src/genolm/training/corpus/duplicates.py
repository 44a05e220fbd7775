"""Repeated sequence in a corpus: exact and near-duplicate contigs, and training sequence that repeats held-out data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from genolm.genome.kmers import KmerSet, distinct, distinct_kmers, is_in

Ids = NDArray[np.uint8]

SKETCH = 64
"""One in this many 28-mers is part of a sketch, selected by hash."""
FEWEST = 8
"""Minimum sketch size of a near-duplicate (a contig of about 500 bases); smaller sketches match by chance."""


class ExactDuplicates:
    """Set of contigs, represented by digests that are equal for both strands.

    Args:
        complement: complement of every token id, (256,).
    """

    def __init__(self, complement: NDArray[np.uint8]) -> None:
        self._complement = complement
        self._seen: set[bytes] = set()

    def seen_before(self, documents: Sequence[Ids]) -> bool:
        """Return whether an equal contig was seen before, and add this one."""
        forward, reverse = hashlib.sha256(), hashlib.sha256()
        for ids in documents:
            _digest(forward, ids)
        for ids in reversed(documents):
            _digest(reverse, np.ascontiguousarray(self._complement[ids[::-1]]))
        key = min(forward.digest(), reverse.digest())
        known = key in self._seen
        self._seen.add(key)
        return known


class NearDuplicates:
    """Set of contigs, represented by sketches of their 28-mers.

    Args:
        base_ids: ids of A, C, G and T.
        limit: fraction of a contig's sketch above which it is a near-duplicate of previous contigs.
    """

    def __init__(self, base_ids: tuple[int, int, int, int], limit: float) -> None:
        self._base_ids, self._limit = base_ids, limit
        self._layers: list[NDArray[np.uint64]] = []

    def seen_before(self, documents: Sequence[Ids]) -> bool:
        """Return whether too much of a contig was seen before; if not, add it."""
        sketch = self._sketch(documents)
        known = np.zeros(len(sketch), bool)
        for layer in self._layers:
            known |= is_in(sketch, layer)
        if len(sketch) >= FEWEST and known.mean() > self._limit:
            return True
        self._add(sketch[~known])
        return False

    def _sketch(self, documents: Sequence[Ids]) -> NDArray[np.uint64]:
        limit = np.uint64(np.iinfo(np.uint64).max // SKETCH)
        parts = [codes[_hash(codes) <= limit] for ids in documents for codes in distinct_kmers(ids, self._base_ids)]
        return distinct(parts)

    def _add(self, sketch: NDArray[np.uint64]) -> None:
        """Add a sketch; layers halve in size, so that many small contigs cost no more than a few large ones."""
        while self._layers and len(self._layers[-1]) <= 2 * len(sketch):
            sketch = distinct([self._layers.pop(), sketch])
        if len(sketch):
            self._layers.append(sketch)


def _digest(digest: hashlib._Hash, ids: Ids) -> None:
    digest.update(len(ids).to_bytes(8, "little"))
    digest.update(np.ascontiguousarray(ids).data)


def _hash(codes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Hash the codes by multiplying and folding twice, since codes of k-mers are unevenly distributed."""
    for factor in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F):
        codes = codes * np.uint64(factor)
        codes = codes ^ (codes >> np.uint64(31))
    return codes


PIECE = 1000
"""Bases of the pieces that are tested for leakage."""


def leaking_pieces(ids: NDArray[np.uint8], held_out: KmerSet, limit: float) -> Iterator[tuple[int, int, bool]]:
    """Divide a document into stretches (start, stop, leaks), in order and without gaps.

    A piece of 1,000 bases leaks if more than ``limit`` of its 28-mers are held out; equal neighbours are joined.
    """
    shared = held_out.share(ids)
    begin, kind = 0, None
    for start in range(0, len(ids), PIECE):
        inside = shared[start : start + PIECE]
        leaks = bool(len(inside) and inside.mean() > limit)
        if kind is not None and leaks != kind:
            yield begin, start, kind
            begin = start
        kind = leaks
    if kind is not None:
        yield begin, len(ids), kind
