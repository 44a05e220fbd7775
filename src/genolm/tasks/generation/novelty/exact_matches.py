"""Longest exact match of each query with a text, on either strand. Q letters of queries, P pairs.

Shared words of 16 bases are found by sorting; only the first word of each maximal match is extended to the right, so
that repeats cost time but no memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolm.genome.kmers import Bytes, Codes, letters, stranded_kmers
from genolm.genome.sequence import reverse_complement

SEED = 16
"""Length of the shortest match that is found; such matches occur by chance between any two genomes."""

_PAIRS = 1 << 20
_STRIDE = 64
_BLOCK = 1 << 20
_END, _NO_BASE = 0, 1
"""Separators of queries, and replacement of N in the text: letters that match nothing on the other side."""

Ints = NDArray[np.int64]


class Match(NamedTuple):
    """An exact match.

    Attributes:
        length: bases; 0 if there is no match of at least 16.
        query_start: first base in the query, or in its reverse complement on ``-``, 0-based.
        start: first base in the text, 0-based.
        strand: ``+``, or ``-`` if the reverse complement of the query matches.
    """

    length: int
    query_start: int
    start: int
    strand: str


NONE = Match(0, 0, 0, "+")


class Matcher:
    """An index of queries, to compare one text after another with them.

    Args:
        queries: sequences, upper case.
    """

    def __init__(self, queries: Sequence[str]) -> None:
        texts = [text for query in queries for text in (query, reverse_complement(query))]
        self._count = len(queries)
        self._starts = np.cumsum([0, *(len(text) + 1 for text in texts)])
        joined = letters("N".join(texts) + "N") if texts else np.empty(0, np.uint8)
        codes, valid = stranded_kmers(joined, SEED)
        positions = np.flatnonzero(valid)
        order = np.argsort(codes[positions], kind="stable")
        self._positions: Ints = positions[order]
        self._codes, first = np.unique(codes[positions][order], return_index=True)
        self._first: Ints = np.append(first, len(positions))
        self._letters = np.concatenate((_marked(joined, _END), np.full(_STRIDE, _END, np.uint8)))

    def best(self, text: str, skip: NDArray[np.bool_]) -> list[Match]:
        """Return the longest match of every query with a text; the first of several.

        Args:
            text: upper-case letters; N matches nothing.
            skip: queries to leave out.
        """
        length_Q, at_Q, start_Q = (np.zeros(2 * self._count, np.int64) for _ in range(3))
        marked = np.concatenate((_marked(letters(text), _NO_BASE), np.full(_STRIDE, _NO_BASE, np.uint8)))
        for query_P, text_P in self._match_starts(text, marked):
            owner_P = np.searchsorted(self._starts, query_P, side="right") - 1
            kept = ~skip[owner_P // 2]
            query_P, text_P, owner_P = query_P[kept], text_P[kept], owner_P[kept]
            length_P = self._extended(query_P, text_P, marked)
            for place in np.lexsort((text_P, -length_P)):
                owner = owner_P[place]
                if length_P[place] > length_Q[owner]:
                    length_Q[owner] = length_P[place]
                    at_Q[owner], start_Q[owner] = query_P[place] - self._starts[owner], text_P[place]
        both = [Match(int(n), int(q), int(t), "+-"[i % 2]) for i, (n, q, t) in enumerate(zip(length_Q, at_Q, start_Q))]
        return [max(pair, key=lambda match: match.length) for pair in zip(both[::2], both[1::2])]

    def _match_starts(self, text: str, marked: Bytes) -> Iterator[tuple[Ints, Ints]]:
        """Yield the positions in queries and text at which a maximal match of at least 16 bases starts."""
        for query_P, text_P in self._pairs(text):
            before_query = self._letters[query_P - 1]  # index -1: the last pad, which is not a base
            before_text = np.where(text_P > 0, marked[text_P - 1], _NO_BASE)
            is_start = before_query != before_text
            yield query_P[is_start], text_P[is_start]

    def _pairs(self, text: str) -> Iterator[tuple[Ints, Ints]]:
        """Yield the positions of all shared words, in batches."""
        for begin in range(0, len(text) - SEED + 1, _BLOCK):
            codes, valid = stranded_kmers(letters(text[begin : begin + _BLOCK + SEED - 1]), SEED)
            hits, rows = self._hits(codes, valid)
            counts = self._first[rows + 1] - self._first[rows]
            groups = np.cumsum(counts) // _PAIRS
            for group in np.unique(groups):
                chosen = groups == group
                count = counts[chosen]
                text_P = np.repeat(hits[chosen] + begin, count)
                offset_P = np.arange(len(text_P)) - np.repeat(np.cumsum(count) - count, count)
                yield self._positions[np.repeat(self._first[rows[chosen]], count) + offset_P], text_P

    def _hits(self, codes: Codes, valid: NDArray[np.bool_]) -> tuple[Ints, Ints]:
        """Return the positions of the text's words that occur in queries, and their rows in the index."""
        if not len(self._codes):
            return np.empty(0, np.int64), np.empty(0, np.int64)
        rows = np.searchsorted(self._codes, codes).clip(max=len(self._codes) - 1)
        hits = np.flatnonzero((self._codes[rows] == codes) & valid)
        return hits, rows[hits]

    def _extended(self, query_P: Ints, text_P: Ints, marked: Bytes) -> Ints:
        """Return the lengths of the matches that start at these positions."""
        length_P = np.full(len(query_P), SEED, np.int64)
        active = np.arange(len(query_P))
        steps = np.arange(_STRIDE)
        while len(active):
            query_A, text_A = (place[active] + length_P[active] for place in (query_P, text_P))
            # Positions beyond the pads are clipped to the last pad, which matches nothing.
            one = self._letters[np.minimum(query_A[:, None] + steps, len(self._letters) - 1)]
            other = marked[np.minimum(text_A[:, None] + steps, len(marked) - 1)]
            differs = one != other
            extension = np.where(differs.any(1), differs.argmax(1), _STRIDE)
            length_P[active] += extension
            active = active[extension == _STRIDE]
        return length_P


def _marked(text: Bytes, foreign: int) -> Bytes:
    """Return the letters with everything but A, C, G and T replaced."""
    table = np.full(256, foreign, np.uint8)
    table[list(b"ACGT")] = list(b"ACGT")
    return table[text]
