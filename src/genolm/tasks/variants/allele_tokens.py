"""Tokens of the two alleles of a variant: those that differ, and the shared tokens on either side.

A variant may shift the token boundaries around it. Both alleles are tokenised with the same flanking bases; the tokens
that differ lie between the shared first tokens and the shared last tokens.

Shapes: T tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genolm.tasks.reading.allele_strands import Edit, Strand
from genolm.tokens.tokenizer import Ids, Tokenizer


@dataclass(frozen=True, slots=True)
class AlleleTokens:
    """Tokens of both alleles of a variant.

    Attributes:
        left: shared tokens before those that differ.
        ref: tokens of REF that differ.
        alt: tokens of ALT that differ.
        right: shared tokens after those that differ.
        left_bases: length of ``left`` in bases.
        right_bases: length of ``right`` in bases.
    """

    left: Ids
    ref: Ids
    alt: Ids
    right: Ids
    left_bases: int
    right_bases: int


@dataclass(frozen=True, slots=True)
class TokenWindow:
    """Size of the window around a variant.

    Attributes:
        max_tokens: maximum number of tokens.
        bases: maximum number of bases.
        horizon: number of bases after the variant; None: as many as before it.
    """

    max_tokens: int
    bases: int
    horizon: int | None

    def alleles(self, strand: Strand, edit: Edit, tokenizer: Tokenizer, unreadable: str) -> AlleleTokens | None:
        """Return the tokens of the alleles; None if those that differ do not fit into the window.

        Args:
            strand: the strand.
            edit: the variant on the strand.
            tokenizer: the tokenizer.
            unreadable: letters that the tokenizer cannot encode; the window ends before them.
        """
        following_bases = self.bases // 2 if self.horizon is None else min(self.horizon, self.bases - 1)
        first_base, end = max(0, edit.start - (self.bases - following_bases)), edit.start + len(edit.ref)
        before = _after_last(strand.fetch(first_base, edit.start), unreadable)
        after = _before_first(strand.fetch(end, end + following_bases), unreadable)
        ref, alt = (tokenizer.tokens(before + allele + after) for allele in (edit.ref, edit.alt))
        first, shared = _common(ref.ids, alt.ids)
        ref_end, alt_end = len(ref.ids) - shared, len(alt.ids) - shared
        spare = self.max_tokens - (max(ref_end, alt_end) - first)
        if spare < 2:
            return None
        left, right = _sides(first, shared, spare)
        leading, trailing = slice(first - left, first), slice(ref_end, ref_end + right)
        widths = _width(ref.spans_T2[leading]), _width(ref.spans_T2[trailing])
        return AlleleTokens(
            ref.ids[leading], ref.ids[first:ref_end], alt.ids[first:alt_end], ref.ids[trailing], *widths
        )


def _common(ref_T: Ids, alt_T: Ids) -> tuple[int, int]:
    """Return the numbers of shared first tokens and of shared last tokens."""
    length = min(len(ref_T), len(alt_T))
    same = ref_T[:length] == alt_T[:length]
    first = length if same.all() else int(same.argmin())
    left = length - first
    same = ref_T[::-1][:left] == alt_T[::-1][:left]
    return first, left if same.all() else int(same.argmin())


def _sides(left: int, right: int, available: int) -> tuple[int, int]:
    """Return the numbers of tokens to keep on either side: equal, or more if the other side has fewer."""
    following = min(right, max(available // 2, available - left))
    return min(left, available - following), following


def _width(spans_T2: NDArray[np.int64]) -> int:
    return int(spans_T2[-1, 1] - spans_T2[0, 0]) if len(spans_T2) else 0


def _after_last(sequence: str, letters: str) -> str:
    """Return the part of a sequence after the last of the letters."""
    return sequence[max((sequence.rfind(letter) for letter in letters), default=-1) + 1 :]


def _before_first(sequence: str, letters: str) -> str:
    """Return the part of a sequence before the first of the letters."""
    positions = [position for letter in letters if (position := sequence.find(letter)) >= 0]
    return sequence[: min(positions, default=len(sequence))]
