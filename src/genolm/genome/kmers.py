"""K-mers as integers: canonical k-mers, sets, FracMinHash samples, counts and spectra.

The code of a k-mer is its base-4 number with A, C, G, T as 0 to 3 and the first base as the most significant digit. The
canonical code is the smaller one of the k-mer and its reverse complement.

Shapes: K k-mers, N sequences, F features.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

KMER = 28
LONGEST = 31
"""Maximum k for codes of 64 bits."""
LETTERS = (65, 67, 71, 84)
"""A, C, G and T as bytes: the ``base_ids`` of :func:`letters`."""
_BLOCK = 1 << 18
"""K-mers per block, to limit memory for a chromosome and to stay in the CPU cache."""
_DIGIT_OF_NO_BASE = 255
_MIX = np.uint64(0x9E3779B97F4A7C15)

Codes = NDArray[np.uint64]
Bytes = NDArray[np.uint8]
BaseIds = tuple[int, int, int, int]


def letters(sequence: str) -> Bytes:
    """Return an upper-case string as bytes, (length,)."""
    return np.frombuffer(sequence.encode("ascii"), np.uint8)


class KmerSet:
    """The set of canonical k-mers of sequences; k-mers with other letters than bases are skipped.

    Args:
        sequences: ids or letters, (length,) each.
        base_ids: ids of A, C, G and T. Default: their ASCII codes.
        k: length of a k-mer, 1 to 31.
    """

    def __init__(self, sequences: Iterable[Bytes], base_ids: BaseIds = LETTERS, k: int = KMER) -> None:
        self.k = k
        self._base_ids = base_ids
        self.codes = distinct([block for ids in sequences for block in distinct_kmers(ids, base_ids, k)])

    def __len__(self) -> int:
        return len(self.codes)

    def share(self, ids: Bytes) -> NDArray[np.bool_]:
        """Return whether each k-mer of a sequence is in the set, by position, (length - k + 1,)."""
        shared = np.zeros(max(0, len(ids) - self.k + 1), bool)
        if len(self.codes):
            for start, codes, valid in kmer_blocks(ids, self._base_ids, self.k):
                shared[start : start + len(codes)] = is_in(codes, self.codes) & valid
        return shared


def is_in(codes_K: Codes, known: Codes) -> NDArray[np.bool_]:
    """Return whether each code is in ``known``, which must be sorted, distinct and not empty."""
    order_K = np.argsort(codes_K)  # sorted look-ups are faster because neighbours share cache lines
    ordered_K = codes_K[order_K]
    at_K = np.searchsorted(known, ordered_K).clip(max=len(known) - 1)
    found_K = np.empty(len(codes_K), bool)
    found_K[order_K] = known[at_K] == ordered_K
    return found_K


def distinct(parts: Sequence[Codes]) -> Codes:
    """Return the sorted distinct codes of several arrays."""
    codes = np.sort(np.concatenate(parts)) if parts else np.empty(0, np.uint64)
    return codes[np.concatenate(([True], codes[1:] != codes[:-1]))] if len(codes) else codes


def distinct_kmers(ids: Bytes, base_ids: BaseIds = LETTERS, k: int = KMER) -> Iterator[Codes]:
    """Yield the canonical k-mers of a sequence in blocks, sorted and distinct within each block."""
    for _, codes, valid in kmer_blocks(ids, base_ids, k):
        yield distinct([codes[valid]])


def sampled_kmers(ids: Bytes, one_in: int, k: int = KMER) -> Codes:
    """Return a FracMinHash sample (Irber et al. 2022) of the canonical k-mers of a sequence, sorted and distinct.

    The same ``1 / one_in`` of all k-mers is sampled in every sequence, so the containment of samples estimates the
    containment of sequences.
    """
    blocks = distinct_kmers(ids, LETTERS, k)
    return distinct([codes[(codes * _MIX) < np.uint64((1 << 64) // one_in - 1)] for codes in blocks])


def kmer_blocks(ids: Bytes, base_ids: BaseIds, k: int) -> Iterator[tuple[int, Codes, NDArray[np.bool_]]]:
    """Yield blocks: position of the first k-mer, canonical codes, and whether each k-mer consists of bases only."""
    digits = np.full(256, _DIGIT_OF_NO_BASE, np.uint8)
    digits[list(base_ids)] = range(4)
    for start in range(0, len(ids) - k + 1, _BLOCK):
        block = digits[ids[start : start + _BLOCK + k - 1]]
        foreign = block == _DIGIT_OF_NO_BASE
        plus, minus = _both_strands(np.where(foreign, 0, block).astype(np.uint64), k)
        yield start, np.minimum(plus, minus), _unbroken(foreign, k)


def stranded_kmers(ids: Bytes, k: int) -> tuple[Codes, NDArray[np.bool_]]:
    """Return the forward-strand codes of all k-mers, (length - k + 1,), and whether each consists of bases only."""
    parts = []
    for start, _, valid in kmer_blocks(ids, LETTERS, k):
        block = _DIGITS[ids[start : start + len(valid) + k - 1]]
        parts.append((_both_strands(np.where(block == _DIGIT_OF_NO_BASE, 0, block).astype(np.uint64), k)[0], valid))
    if not parts:
        return np.empty(0, np.uint64), np.empty(0, bool)
    return np.concatenate([codes for codes, _ in parts]), np.concatenate([valid for _, valid in parts])


def word_counts(sequence: str, k: int, *, both_strands: bool) -> NDArray[np.int64]:
    """Return the counts of all 4^k words in a sequence, on the forward strand or on both strands, (4^k,)."""
    codes, valid = stranded_kmers(letters(sequence), k)
    words = codes[valid].astype(np.int64)
    if both_strands:
        words = np.concatenate((words, _reverse_complements(k)[words]))
    return np.bincount(words, minlength=4**k)


def spectrum(sequence: str, k: int) -> NDArray[np.int64]:
    """Return the counts of the canonical k-mers, in the order of :func:`canonical_kmers`, (F,)."""
    classes, count = _classes(k)
    codes, valid = stranded_kmers(letters(sequence), k)
    return np.bincount(classes[codes[valid]], minlength=count)


def canonical_kmers(k: int) -> tuple[str, ...]:
    """Return the canonical k-mers in the order of :func:`spectrum`: 2, 10, 32, 136 and 512 for k from 1 to 5."""
    words = ("".join(word) for word in product("ACGT", repeat=k))
    return tuple(word for word in words if word <= word[::-1].translate(_COMPLEMENT))


_COMPLEMENT = str.maketrans("ACGT", "TGCA")
_DIGITS = np.full(256, _DIGIT_OF_NO_BASE, np.uint8)
_DIGITS[list(LETTERS)] = range(4)


@cache
def _classes(k: int) -> tuple[NDArray[np.int64], int]:
    """Return the index of the canonical k-mer of each of the 4^k k-mers, and the number of canonical k-mers."""
    smaller, classes = np.unique(np.minimum(np.arange(4**k), _reverse_complements(k)), return_inverse=True)
    return classes, len(smaller)


@cache
def _reverse_complements(k: int) -> NDArray[np.int64]:
    """Return the code of the reverse complement of every k-mer, (4^k,)."""
    rest, reverse = np.arange(4**k), np.zeros(4**k, np.int64)
    for _ in range(k):
        reverse, rest = reverse * 4 + 3 - rest % 4, rest // 4
    return reverse


def _both_strands(digits: Codes, k: int) -> tuple[Codes, Codes]:
    """Return the codes of every k-mer on both strands, composed from those of shorter words."""
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
    """Return whether each k-mer contains no foreign letter."""
    if not foreign.any():
        return np.ones(len(foreign) - k + 1, bool)
    before = np.concatenate(([0], np.cumsum(foreign)))
    return before[k:] == before[:-k]
