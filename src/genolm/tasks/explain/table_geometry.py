"""Geometry of a k-mer table: cosine similarity of related k-mers, and nearest neighbours.

A k-mer is a base-4 number, first base highest, bases in ACGT order. N pairs, Q queries, R rows, D width.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from genolm.genome.simulation.human_figures import GENETIC_CODE
from genolm.statistics.bootstrap import Estimate, estimate, ratio
from genolm.tasks.explain.random_copies import KmerTable

Vectors = NDArray[np.float32]
Codes = NDArray[np.int64]
LONGEST_SEARCHED = 8
"""Maximum k of tables in which neighbours are searched."""

MAX_QUERIES = 4096
NEIGHBOURS = 5
_AT_ONCE = 512


MAX_PAIRS = 20_000
"""Maximum number of compared pairs; pairs of longer k-mers are sampled."""


class Pairs(NamedTuple):
    """Related k-mers, with a control for each pair that is as similar if nothing was learned.

    Attributes:
        first_N: k-mers.
        second_N: related k-mers.
        control_N: k-mers that match the first in confounding properties; -1 for none.
    """

    first_N: Codes
    second_N: Codes
    control_N: Codes


def letters(codes_N: Codes, order: int) -> NDArray[np.int64]:
    """Return the bases of k-mers as 0 to 3, (N, order), in reading order."""
    return codes_N[:, None] // 4 ** np.arange(order - 1, -1, -1) % 4


def number(letters_NK: NDArray[np.int64]) -> Codes:
    """Return the k-mers of bases 0 to 3; inverse of :func:`letters`."""
    order = letters_NK.shape[1]
    return np.asarray(letters_NK @ 4 ** np.arange(order - 1, -1, -1))


def spelled(code: int, order: int) -> str:
    """Return a k-mer as text."""
    return "".join("ACGT"[base] for base in letters(np.array([code]), order)[0])


def reverse_complements(codes_N: Codes, order: int) -> Codes:
    """Return the reverse complements of k-mers."""
    return number(3 - letters(codes_N, order)[:, ::-1])


def strand_pairs(order: int, seed: int) -> Pairs:
    """Return each k-mer with its reverse complement, each pair once, without palindromes.

    The control has the same GC content and is neither of the two.
    """
    random = np.random.default_rng((seed, order))
    codes = _sample(order, random)
    others = reverse_complements(codes, order)
    once = codes < others
    codes, others = codes[once], others[once]
    return Pairs(codes, others, _same_gc(codes, others, order, random))


def codon_pairs() -> Pairs:
    """Return each pair of synonymous codons once, with a codon of another amino acid as the control.

    Stop codons count as synonymous. The control changes the first codon at the positions at which the synonymous one
    differs from it; -1 if every such codon is synonymous.
    """
    names = [spelled(code, 3) for code in range(64)]
    amino_acids = [GENETIC_CODE[name] for name in names]
    bases = letters(np.arange(64), 3)
    nearest = []
    for first in range(64):
        for second in range(first + 1, 64):
            if amino_acids[first] != amino_acids[second]:
                continue
            differs = bases[first] != bases[second]
            candidates = [
                other
                for other in range(64)
                if ((bases[first] != bases[other]) == differs).all() and amino_acids[other] != amino_acids[first]
            ]
            # Rotate through the candidates, so that no codon is the control of all pairs.
            nearest.append((first, second, candidates[(first + second) % len(candidates)] if candidates else -1))
    columns = np.array(nearest).T
    return Pairs(*columns)


def _sample(order: int, random: np.random.Generator) -> Codes:
    total = 4**order
    if total <= 2 * MAX_PAIRS:
        return np.arange(total)
    sampled = np.unique(random.integers(0, total, size=2 * MAX_PAIRS))
    # A pair is represented by its smaller member.
    return np.unique(np.minimum(sampled, reverse_complements(sampled, order)))[:MAX_PAIRS]


def _same_gc(codes_N: Codes, others_N: Codes, order: int, random: np.random.Generator) -> Codes:
    """Return a random k-mer of equal GC content for each pair, neither of the two; -1 after too many tries."""
    sampled = np.full(len(codes_N), -1)
    open_N = np.arange(len(codes_N))
    strong_NK = (letters(codes_N, order) == 1) | (letters(codes_N, order) == 2)
    for _ in range(64):
        strong = random.permuted(strong_NK[open_N], axis=1)
        coin_flips = random.integers(0, 2, size=strong.shape)
        candidates = number(np.where(strong, 1 + coin_flips, 3 * coin_flips))
        fits = (candidates != codes_N[open_N]) & (candidates != others_N[open_N])
        sampled[open_N[fits]] = candidates[fits]
        open_N = open_N[~fits]
        if not len(open_N):
            break
    return sampled


def vectors(table: KmerTable) -> Vectors:
    """Return the rows of all 4^k k-mers of A, C, G and T, fp32 (4^k, D); hashed k-mers may share rows."""
    with torch.no_grad():
        weight = table.embedding.weight
        return np.asarray(weight[table.pure_rows().to(weight.device)].float().cpu().numpy())


def cosines(rows_RD: Vectors, first_N: Codes, second_N: Codes) -> NDArray[np.float64]:
    """Return the cosine similarity of each pair; NaN for a pair without a second member (-1) or with a row of zeros."""
    unit_RD = unit(rows_RD)
    values = np.einsum("nd,nd->n", unit_RD[first_N], unit_RD[np.maximum(second_N, 0)]).astype(np.float64)
    return np.where(second_N < 0, np.nan, values)


def unit(rows_RD: Vectors) -> Vectors:
    """Return rows of unit length; a row of zeros becomes NaN."""
    with np.errstate(invalid="ignore"):
        return np.asarray(rows_RD / np.linalg.norm(rows_RD, axis=1, keepdims=True))


class Compared(NamedTuple):
    """Mean cosine similarity of related pairs and of their controls, and the mean difference."""

    pairs: int
    related: Estimate
    control: Estimate
    difference: Estimate


def compare(rows_RD: Vectors, pairs: Pairs) -> Compared:
    """Compare related with control pairs, on pairs that have both; intervals from resampled pairs."""
    related = cosines(rows_RD, pairs.first_N, pairs.second_N)
    control = cosines(rows_RD, pairs.first_N, pairs.control_N)
    both = ~(np.isnan(related) | np.isnan(control))
    columns = np.stack((np.ones(both.sum()), related[both], control[both], related[both] - control[both]), 1)
    if not len(columns):
        nothing = Estimate(float("nan"), float("nan"), float("nan"))
        return Compared(0, nothing, nothing, nothing)
    random = np.random.default_rng(0)
    # k-mers close in order have similar rows, and consecutive pairs may be joined for resampling: shuffle.
    columns = columns[random.permutation(len(columns))]
    return Compared(len(columns), *(estimate(columns, ratio(place, 0)) for place in (1, 2, 3)))


class Neighbours(NamedTuple):
    """Nearest rows of k-mers.

    Attributes:
        queries_Q: the k-mers.
        nearest_QN: their neighbours, nearest first.
        cosine_QN: cosine similarity of each neighbour.
    """

    queries_Q: Codes
    nearest_QN: Codes
    cosine_QN: NDArray[np.float32]


def neighbours(rows_RD: Vectors, order: int, seed: int) -> Neighbours:
    """Return the nearest other rows by cosine similarity, of all k-mers or of a random sample."""
    total = 4**order
    random = np.random.default_rng((seed, order))
    queries = np.arange(total) if total <= MAX_QUERIES else np.sort(random.choice(total, MAX_QUERIES, replace=False))
    count = min(NEIGHBOURS, total - 1)
    unit_RD = torch.from_numpy(np.nan_to_num(unit(rows_RD)))
    nearest, values = [], []
    for part in np.array_split(queries, -(-len(queries) // _AT_ONCE)):
        cosine_QR = unit_RD[part] @ unit_RD.T
        cosine_QR[torch.arange(len(part)), torch.from_numpy(part)] = -2.0
        best = cosine_QR.topk(count, dim=1)
        nearest.append(best.indices.numpy())
        values.append(best.values.numpy())
    return Neighbours(queries, np.concatenate(nearest), np.concatenate(values))


RELATIONS = ("one base differs", "reverse complement", "shifted by one base")


def relations(queries_Q: Codes, others_Q: Codes, order: int) -> NDArray[np.bool_]:
    """Return which of the :data:`RELATIONS` each pair has, (Q, 3); a pair may have several."""
    first, second = letters(queries_Q, order), letters(others_Q, order)
    substituted = (first != second).sum(1) == 1
    strand = reverse_complements(queries_Q, order) == others_Q
    shifted = (first[:, 1:] == second[:, :-1]).all(1) | (first[:, :-1] == second[:, 1:]).all(1)
    return np.stack((substituted, strand, shifted & (order > 1)), 1)


def chance(queries_Q: Codes, order: int) -> NDArray[np.float64]:
    """Return how often a random other k-mer has each of the :data:`RELATIONS` to these, (3,)."""
    total = 4**order - 1
    palindromes = (reverse_complements(queries_Q, order) == queries_Q).mean()
    every = np.arange(4**order)
    sample = queries_Q[:: max(1, len(queries_Q) // 64)]
    shifted = [relations(np.full(4**order, query), every, order)[every != query, 2].sum() for query in sample]
    return np.array([3 * order / total, (1 - palindromes) / total, np.mean(shifted) / total])
