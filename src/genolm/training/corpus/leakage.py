"""Sequence shared between training and held-out data, found by 28-mers of either strand."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from genolm.genome.kmers import KMER, KmerSet, distinct, distinct_kmers, is_in

__all__ = ["KMER", "PIECE", "KmerSet", "distinct", "distinct_kmers", "is_in", "leaking_pieces"]

PIECE = 1000


def leaking_pieces(ids: NDArray[np.uint8], held_out: KmerSet, limit: float) -> Iterator[tuple[int, int, bool]]:
    """Stretches of a run as (start, stop, leaks), in order and without gaps.

    A piece of 1,000 bases leaks when more than ``limit`` of its 28-mers are held out; like neighbours are joined.
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
