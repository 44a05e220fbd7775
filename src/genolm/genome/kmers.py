"""K-mers of either strand as numbers: sets of them, what sequences share, samples of large sets, and spectra.

A canonical k-mer is the smaller of the base-4 numbers of a k-mer and of its reverse complement, A, C, G, T being 0 to 3
and the first base the highest digit. K k-mers, N sequences, F features.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

KMER = 28
LONGEST = 31
"""Bases whose number fits into 64 bits with room for the strand."""
LETTERS = (65, 67, 71, 84)
"""A, C, G and T as bytes of a text: the ``base_ids`` of :func:`letters`."""
_BLOCK = 1 << 18
"""K-mers worked on at a time: the arrays stay in the cache, and memory small for a whole chromosome."""
_DIGIT_OF_NO_BASE = 255
_MIX = np.uint64(0x9E3779B97F4A7C15)

Codes = NDArray[np.uint64]
Bytes = NDArray[np.uint8]
BaseIds = tuple[int, int, int, int]


def letters(sequence: str) -> Bytes:
    """An upper-case text as its bytes, (length,)."""
    return np.frombuffer(sequence.encode("ascii"), np.uint8)


class KmerSet:
    """The distinct canonical k-mers of some sequences; those with anything but a base in them are left out.

    Args:
        sequences: ids or letters, (length,) each.
        base_ids: ids of A, C, G and T; those of text by default.
        k: bases of a k-mer, 1 to 31.
    """

    def __init__(self, sequences: Iterable[Bytes], base_ids: BaseIds = LETTERS, k: int = KMER) -> None:
        self.k = k
        self._base_ids = base_ids
        self.codes = distinct([block for ids in sequences for block in distinct_kmers(ids, base_ids, k)])

    def __len__(self) -> int:
        return len(self.codes)

    def share(self, ids: Bytes) -> NDArray[np.bool_]:
        """For each k-mer of a sequence, by its first base, whether it is in the set; (length - k + 1,)."""
        found = np.zeros(max(0, len(ids) - self.k + 1), bool)
        if len(self.codes):
            for start, codes, whole in kmer_blocks(ids, self._base_ids, self.k):
                found[start : start + len(codes)] = is_in(codes, self.codes) & whole
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


def distinct_kmers(ids: Bytes, base_ids: BaseIds = LETTERS, k: int = KMER) -> Iterator[Codes]:
    """The canonical k-mers of a sequence block by block, sorted and distinct within each block."""
    for _, codes, whole in kmer_blocks(ids, base_ids, k):
        yield distinct([codes[whole]])


def sampled_kmers(ids: Bytes, one_in: int, k: int = KMER) -> Codes:
    """A fixed sample of the distinct canonical k-mers of a text, sorted.

    Of all k-mers the same ``1 / one_in`` is taken in every text (Irber et al. 2022, FracMinHash), so that the share of
    one sample found in another estimates the share of all.
    """
    blocks = distinct_kmers(ids, LETTERS, k)
    return distinct([codes[(codes * _MIX) < np.uint64((1 << 64) // one_in - 1)] for codes in blocks])


def kmer_blocks(ids: Bytes, base_ids: BaseIds, k: int) -> Iterator[tuple[int, Codes, NDArray[np.bool_]]]:
    """First k-mer of a block, the canonical codes of the block, and which of them consist of bases."""
    digits = np.full(256, _DIGIT_OF_NO_BASE, np.uint8)
    digits[list(base_ids)] = range(4)
    for start in range(0, len(ids) - k + 1, _BLOCK):
        block = digits[ids[start : start + _BLOCK + k - 1]]
        foreign = block == _DIGIT_OF_NO_BASE
        plus, minus = _both_strands(np.where(foreign, 0, block).astype(np.uint64), k)
        yield start, np.minimum(plus, minus), _unbroken(foreign, k)


def stranded_kmers(ids: Bytes, k: int) -> tuple[Codes, NDArray[np.bool_]]:
    """The codes of a text's k-mers as they are read, (length - k + 1,), and which of them consist of bases."""
    parts = []
    for start, _, whole in kmer_blocks(ids, LETTERS, k):
        block = _DIGITS[ids[start : start + len(whole) + k - 1]]
        parts.append((_both_strands(np.where(block == _DIGIT_OF_NO_BASE, 0, block).astype(np.uint64), k)[0], whole))
    if not parts:
        return np.empty(0, np.uint64), np.empty(0, bool)
    return np.concatenate([codes for codes, _ in parts]), np.concatenate([whole for _, whole in parts])


def word_counts(sequence: str, k: int, *, both_strands: bool) -> NDArray[np.int64]:
    """How often each of the 4^k words stands in a text as it is read, or as both its strands are; (4^k,)."""
    codes, whole = stranded_kmers(letters(sequence), k)
    words = codes[whole].astype(np.int64)
    if both_strands:
        words = np.concatenate((words, _turned(k)[words]))
    return np.bincount(words, minlength=4**k)


def spectrum(sequence: str, k: int) -> NDArray[np.int64]:
    """How often each canonical k-mer of :func:`canonical_kmers` stands in a text, both strands as one; (F,)."""
    classes, count = _classes(k)
    codes, whole = stranded_kmers(letters(sequence), k)
    return np.bincount(classes[codes[whole]], minlength=count)


def canonical_kmers(k: int) -> tuple[str, ...]:
    """The canonical k-mers in the order of :func:`spectrum`: 2, 10, 32, 136 and 512 of them for k from 1 to 5."""
    words = ("".join(word) for word in product("ACGT", repeat=k))
    return tuple(word for word in words if word <= word[::-1].translate(_COMPLEMENT))


_COMPLEMENT = str.maketrans("ACGT", "TGCA")
_DIGITS = np.full(256, _DIGIT_OF_NO_BASE, np.uint8)
_DIGITS[list(LETTERS)] = range(4)


@cache
def _classes(k: int) -> tuple[NDArray[np.int64], int]:
    """For every one of the 4^k k-mers the number of its canonical one, and how many there are."""
    smaller, classes = np.unique(np.minimum(np.arange(4**k), _turned(k)), return_inverse=True)
    return classes, len(smaller)


@cache
def _turned(k: int) -> NDArray[np.int64]:
    """The number of every word's reverse complement, (4^k,)."""
    rest, turned = np.arange(4**k), np.zeros(4**k, np.int64)
    for _ in range(k):
        turned, rest = turned * 4 + 3 - rest % 4, rest // 4
    return turned


def _both_strands(digits: Codes, k: int) -> tuple[Codes, Codes]:
    """Every k-mer as the base-4 numbers of its two strands, out of those of half the length and so on."""
    plus, minus, length = digits, np.uint64(3) - digits, 1
    shorter = {1: (plus, minus)}
    while length < k:
        more = max(known for known in shorter if length + known <= k)
        right_plus, right_minus = (codes[length:] for codes in shorter[more])
        count = len(right_plus)
        plus = plus[:count] << np.uint64(2 * more) | right_plus
        minus = minus[:count] | right_minus << np.uint64(2 * length)
        length += more
        shorter[length] = (plus, minus)
    return plus, minus


def _unbroken(foreign: NDArray[np.bool_], k: int) -> NDArray[np.bool_]:
    """Which k-mers hold no foreign position."""
    if not foreign.any():
        return np.ones(len(foreign) - k + 1, bool)
    before = np.concatenate(([0], np.cumsum(foreign)))
    return before[k:] == before[:-k]
