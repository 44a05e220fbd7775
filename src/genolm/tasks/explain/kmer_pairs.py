"""Pairs of k-mers that biology relates, and the pairs they are compared with.

A k-mer is a base-4 number, first base highest, bases in ACGT order; N k-mers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolm.genome.simulation.human_figures import GENETIC_CODE

Codes = NDArray[np.int64]
MOST_PAIRS = 20_000
"""Pairs that are compared; of longer k-mers a random choice."""


class Pairs(NamedTuple):
    """Two k-mers that go together, and a third that should do as well as the second if nothing was learned.

    Attributes:
        first_N: the k-mers.
        second_N: what each is related to.
        control_N: another k-mer that is as like the first in what does not matter; -1 where there is none.
    """

    first_N: Codes
    second_N: Codes
    control_N: Codes


def letters(codes_N: Codes, order: int) -> NDArray[np.int64]:
    """The bases of k-mers as 0 to 3, (N, order), in reading order."""
    return codes_N[:, None] // 4 ** np.arange(order - 1, -1, -1) % 4


def number(letters_NK: NDArray[np.int64]) -> Codes:
    """The k-mers of bases 0 to 3."""
    order = letters_NK.shape[1]
    return np.asarray(letters_NK @ 4 ** np.arange(order - 1, -1, -1))


def spelled(code: int, order: int) -> str:
    """A k-mer as text."""
    return "".join("ACGT"[base] for base in letters(np.array([code]), order)[0])


def reverse_complements(codes_N: Codes, order: int) -> Codes:
    """The k-mers of the other strand."""
    return number(3 - letters(codes_N, order)[:, ::-1])


def strand_pairs(order: int, seed: int) -> Pairs:
    """Each k-mer with its reverse complement, every pair once and palindromes left out.

    The control has the same number of G and C and is neither of the two.
    """
    random = np.random.default_rng((seed, order))
    codes = _sample(order, random)
    others = reverse_complements(codes, order)
    once = codes < others
    codes, others = codes[once], others[once]
    return Pairs(codes, others, _same_gc(codes, others, order, random))


def codon_pairs() -> Pairs:
    """Each pair of synonymous codons once, beside a codon of another amino acid that differs in the same places.

    Stop codons count as synonymous. The control changes the first codon at the positions in which the synonymous one
    differs from it; -1 where every such codon is synonymous.
    """
    names = [spelled(code, 3) for code in range(64)]
    amino_acids = [GENETIC_CODE[name] for name in names]
    bases = letters(np.arange(64), 3)
    found = []
    for first in range(64):
        for second in range(first + 1, 64):
            if amino_acids[first] != amino_acids[second]:
                continue
            differs = bases[first] != bases[second]
            alike = [
                other
                for other in range(64)
                if ((bases[first] != bases[other]) == differs).all() and amino_acids[other] != amino_acids[first]
            ]
            # Any will do; which one turns with the pair, so that no codon serves them all.
            found.append((first, second, alike[(first + second) % len(alike)] if alike else -1))
    columns = np.array(found).T
    return Pairs(*columns)


def _sample(order: int, random: np.random.Generator) -> Codes:
    total = 4**order
    if total <= 2 * MOST_PAIRS:
        return np.arange(total)
    drawn = np.unique(random.integers(0, total, size=2 * MOST_PAIRS))
    # A pair is kept by its smaller member, so that members that stand second are turned round.
    return np.unique(np.minimum(drawn, reverse_complements(drawn, order)))[:MOST_PAIRS]


def _same_gc(codes_N: Codes, others_N: Codes, order: int, random: np.random.Generator) -> Codes:
    """For each pair a random k-mer with as many G and C, neither of the two; -1 after too many tries."""
    drawn = np.full(len(codes_N), -1)
    open_N = np.arange(len(codes_N))
    strong_NK = (letters(codes_N, order) == 1) | (letters(codes_N, order) == 2)
    for _ in range(64):
        places = random.permuted(strong_NK[open_N], axis=1)
        coins = random.integers(0, 2, size=places.shape)
        candidates = number(np.where(places, 1 + coins, 3 * coins))
        fits = (candidates != codes_N[open_N]) & (candidates != others_N[open_N])
        drawn[open_N[fits]] = candidates[fits]
        open_N = open_N[~fits]
        if not len(open_N):
            break
    return drawn
