"""The tokens of the two alleles of a variant: those that differ, and those they share on either side.

A substitution may move the borders of the tokens around it. Both alleles are tokenised with the same bases on their
sides; what differs lies between the tokens that both begin with and those that both end with, which cover the same
bases.

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
    """What is compared.

    Attributes:
        left: tokens that both alleles have before those that differ.
        ref: tokens of the reference that differ.
        alt: tokens of the alternative that differ.
        right: tokens that both have after them.
        left_bases: bases of ``left``.
        right_bases: bases of ``right``.
    """

    left: Ids
    ref: Ids
    alt: Ids
    right: Ids
    left_bases: int
    right_bases: int


@dataclass(frozen=True, slots=True)
class TokenWindow:
    """How much is read around a variant.

    Attributes:
        room: most tokens.
        bases: most bases.
        horizon: bases after the variant; None for as many as before it.
    """

    room: int
    bases: int
    horizon: int | None

    def alleles(self, strand: Strand, edit: Edit, tokenizer: Tokenizer, unreadable: str) -> AlleleTokens | None:
        """The alleles' tokens; None when those that differ do not fit into the window.

        Args:
            strand: what is read.
            edit: the variant on it.
            tokenizer: makes the tokens.
            unreadable: letters that it has no token for, of :func:`unreadable_letters`; nothing beyond one is read.
        """
        behind = self.bases // 2 if self.horizon is None else min(self.horizon, self.bases - 1)
        end = edit.start + len(edit.ref)
        before = _after_last(strand.fetch(max(0, edit.start - (self.bases - behind)), edit.start), unreadable)
        after = _before_first(strand.fetch(end, end + behind), unreadable)
        ref, alt = (tokenizer.tokens(before + allele + after) for allele in (edit.ref, edit.alt))
        first, shared = _common(ref.ids, alt.ids)
        ref_end, alt_end = len(ref.ids) - shared, len(alt.ids) - shared
        spare = self.room - (max(ref_end, alt_end) - first)
        if spare < 2:
            return None
        left, right = _sides(first, shared, spare)
        own, following = slice(first - left, first), slice(ref_end, ref_end + right)
        widths = _width(ref.spans_T2[own]), _width(ref.spans_T2[following])
        return AlleleTokens(ref.ids[own], ref.ids[first:ref_end], alt.ids[first:alt_end], ref.ids[following], *widths)


def _common(ref_T: Ids, alt_T: Ids) -> tuple[int, int]:
    """How many tokens both begin with, and with how many others both end."""
    length = min(len(ref_T), len(alt_T))
    same = ref_T[:length] == alt_T[:length]
    first = length if same.all() else int(same.argmin())
    left = length - first
    same = ref_T[::-1][:left] == alt_T[::-1][:left]
    return first, left if same.all() else int(same.argmin())


def _sides(left: int, right: int, room: int) -> tuple[int, int]:
    """Tokens kept on either side: as many on both, or more where the other has fewer."""
    following = min(right, max(room // 2, room - left))
    return min(left, room - following), following


def _width(spans_T2: NDArray[np.int64]) -> int:
    return int(spans_T2[-1, 1] - spans_T2[0, 0]) if len(spans_T2) else 0


def _after_last(sequence: str, letters: str) -> str:
    """What follows the last of the letters."""
    return sequence[max((sequence.rfind(letter) for letter in letters), default=-1) + 1 :]


def _before_first(sequence: str, letters: str) -> str:
    """What precedes the first of the letters."""
    places = [place for letter in letters if (place := sequence.find(letter)) >= 0]
    return sequence[: min(places, default=len(sequence))]
