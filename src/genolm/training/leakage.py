"""Sequence shared between training and held-out data, found by 28-mers of either strand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

KMER = 28
PIECE = 1000
_BLOCK = 1 << 18
"""28-mers worked on at a time: the arrays stay in the cache, and memory small for a whole chromosome."""
_DIGIT_OF_NO_BASE = 255
_STEPS = (1, 2, 4, 8, 8, 4)
"""Bases that each step appends to those before: 1, 2, 4, 8, 16, 24, 28."""

Codes = NDArray[np.uint64]


class KmerSet:
    """The distinct canonical 28-mers of some sequences; those with anything but a base in them are left out.

    Args:
        sequences: token ids, (length,) each.
        base_ids: ids of A, C, G and T.
    """

    def __init__(self, sequences: Iterable[NDArray[np.uint8]], base_ids: tuple[int, int, int, int]) -> None:
        self._base_ids = base_ids
        codes = [block for ids in sequences for block in distinct_kmers(ids, base_ids)]
        self._codes = distinct(codes)

    def __len__(self) -> int:
        return len(self._codes)

    def share(self, ids: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """For each 28-mer of a sequence, by its first base, whether it is in the set; (length - 27,)."""
        found = np.zeros(max(0, len(ids) - KMER + 1), bool)
        if len(self._codes):
            for start, codes, whole in _blocks(ids, self._base_ids):
                found[start : start + len(codes)] = is_in(codes, self._codes) & whole
        return found


def is_in(codes_K: Codes, known: Codes) -> NDArray[np.bool_]:
    """Which codes are among some distinct ones, at least one, that are sorted."""
    order_K = np.argsort(codes_K)  # looked up in order, neighbours share what the cache holds
    ordered_K = codes_K[order_K]
    at_K = np.searchsorted(known, ordered_K).clip(max=len(known) - 1)
    found_K = np.empty(len(codes_K), bool)
    found_K[order_K] = known[at_K] == ordered_K
    return found_K


def distinct(parts: Sequence[Codes]) -> Codes:
    """The distinct codes of some arrays, sorted."""
    codes = np.sort(np.concatenate(parts)) if parts else np.empty(0, np.uint64)
    return codes[np.concatenate(([True], codes[1:] != codes[:-1]))] if len(codes) else codes


def distinct_kmers(ids: NDArray[np.uint8], base_ids: tuple[int, int, int, int]) -> Iterator[Codes]:
    """The canonical 28-mers of a sequence block by block, sorted and distinct within each block."""
    for _, codes, whole in _blocks(ids, base_ids):
        yield distinct([codes[whole]])


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


def _blocks(
    ids: NDArray[np.uint8], base_ids: tuple[int, int, int, int]
) -> Iterator[tuple[int, Codes, NDArray[np.bool_]]]:
    """First 28-mer of a block, their codes, and which of them consist of bases."""
    digits = np.full(256, _DIGIT_OF_NO_BASE, np.uint8)
    digits[list(base_ids)] = range(4)
    for start in range(0, len(ids) - KMER + 1, _BLOCK):
        block = digits[ids[start : start + _BLOCK + KMER - 1]]
        foreign = block == _DIGIT_OF_NO_BASE
        yield start, _canonical(np.where(foreign, 0, block).astype(np.uint64)), _unbroken(foreign)


def _canonical(digits: Codes) -> Codes:
    """Every 28-mer as the smaller of its two strands' base-4 numbers."""
    plus, minus, length = digits, np.uint64(3) - digits, 1
    shorter = {1: (plus, minus)}
    for more in _STEPS:
        right_plus, right_minus = (codes[length:] for codes in shorter[more])
        count = len(right_plus)
        plus = plus[:count] << np.uint64(2 * more) | right_plus
        minus = minus[:count] | right_minus << np.uint64(2 * length)
        length += more
        shorter[length] = (plus, minus)
    return np.minimum(plus, minus)


def _unbroken(foreign: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which 28-mers hold no foreign position."""
    if not foreign.any():
        return np.ones(len(foreign) - KMER + 1, bool)
    before = np.concatenate(([0], np.cumsum(foreign)))
    return before[KMER:] == before[:-KMER]
