"""Sequence shared between training and held-out data, found by 28-mers of either strand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

KMER = 28
PIECE = 1000
_DIGIT_OF_NO_BASE = 255


class KmerSet:
    """The distinct canonical 28-mers of some sequences.

    Args:
        sequences: token ids of unbroken runs of bases, (length,) each.
        base_ids: ids of A, C, G and T.
    """

    def __init__(self, sequences: Sequence[NDArray[np.uint8]], base_ids: tuple[int, int, int, int]) -> None:
        self._base_ids = base_ids
        codes = [canonical_kmers(ids, base_ids) for ids in sequences]
        self._codes = np.unique(np.concatenate(codes)) if codes else np.empty(0, np.uint64)

    def __len__(self) -> int:
        return len(self._codes)

    def share(self, ids: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """For each 28-mer of a sequence, by its first base, whether it is in the set; (length - 27,)."""
        codes = canonical_kmers(ids, self._base_ids)
        if not len(self._codes):
            return np.zeros(len(codes), bool)
        at = np.searchsorted(self._codes, codes).clip(max=len(self._codes) - 1)
        return self._codes[at] == codes


def canonical_kmers(ids: NDArray[np.uint8], base_ids: tuple[int, int, int, int]) -> NDArray[np.uint64]:
    """Every 28-mer as the smaller of its two strands' base-4 numbers, (length - 27,); empty for shorter sequences."""
    if len(ids) < KMER:
        return np.empty(0, np.uint64)
    digits = np.full(256, _DIGIT_OF_NO_BASE, np.uint8)
    digits[list(base_ids)] = range(4)
    forward = digits[ids].astype(np.uint64)
    count = len(ids) - KMER + 1
    plus, minus = np.zeros(count, np.uint64), np.zeros(count, np.uint64)
    for i in range(KMER):
        base = forward[i : i + count]
        plus = plus << np.uint64(2) | base
        minus |= (np.uint64(3) - base) << np.uint64(2 * i)
    return np.minimum(plus, minus)


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
