"""Cosines inside a table of k-mers. N pairs, Q queries, R rows, D width."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from genolm.statistics.bootstrap import Estimate, estimate, ratio
from genolm.tasks.explain.kmer_pairs import Codes, Pairs, letters, reverse_complements
from genolm.tasks.explain.random_copies import KmerTable

Vectors = NDArray[np.float32]
LONGEST_SEARCHED = 8
"""Neighbours are looked for among all k-mers of at most so many bases."""

MOST_QUERIES = 4096
NEIGHBOURS = 5
_AT_ONCE = 512


def vectors(table: KmerTable) -> Vectors:
    """The rows of all 4^k k-mers of A, C, G and T, fp32 (4^k, D); hashed k-mers may share rows."""
    with torch.no_grad():
        weight = table.embedding.weight
        return np.asarray(weight[table.pure_rows().to(weight.device)].float().cpu().numpy())


def cosines(rows_RD: Vectors, first_N: Codes, second_N: Codes) -> NDArray[np.float64]:
    """Cosine of the rows of each pair; NaN for a pair without a second member (-1) or with a row of zeros."""
    unit_RD = unit(rows_RD)
    values = np.einsum("nd,nd->n", unit_RD[first_N], unit_RD[np.maximum(second_N, 0)]).astype(np.float64)
    return np.where(second_N < 0, np.nan, values)


def unit(rows_RD: Vectors) -> Vectors:
    """Rows of length one; a row of zeros becomes NaN."""
    with np.errstate(invalid="ignore"):
        return np.asarray(rows_RD / np.linalg.norm(rows_RD, axis=1, keepdims=True))


class Compared(NamedTuple):
    """Mean cosine of related pairs, of their controls, and the mean of the differences between the two."""

    pairs: int
    related: Estimate
    control: Estimate
    difference: Estimate


def compare(rows_RD: Vectors, pairs: Pairs) -> Compared:
    """Related against control pairs, only where both are there; intervals from resampled pairs."""
    related = cosines(rows_RD, pairs.first_N, pairs.second_N)
    control = cosines(rows_RD, pairs.first_N, pairs.control_N)
    both = ~(np.isnan(related) | np.isnan(control))
    columns = np.stack((np.ones(both.sum()), related[both], control[both], related[both] - control[both]), 1)
    if not len(columns):
        nothing = Estimate(float("nan"), float("nan"), float("nan"))
        return Compared(0, nothing, nothing, nothing)
    random = np.random.default_rng(0)
    # Neighbours in the order of k-mers are alike; pairs are resampled one by one, in a random order where too many.
    columns = columns[random.permutation(len(columns))]
    return Compared(len(columns), *(estimate(columns, ratio(place, 0)) for place in (1, 2, 3)))


class Neighbours(NamedTuple):
    """The nearest rows of some k-mers.

    Attributes:
        queries_Q: the k-mers.
        nearest_QN: their neighbours, nearest first.
        cosine_QN: the cosines.
    """

    queries_Q: Codes
    nearest_QN: Codes
    cosine_QN: NDArray[np.float32]


def neighbours(rows_RD: Vectors, order: int, seed: int) -> Neighbours:
    """The nearest other rows by cosine, of all k-mers or of a random choice of them."""
    total = 4**order
    random = np.random.default_rng((seed, order))
    queries = np.arange(total) if total <= MOST_QUERIES else np.sort(random.choice(total, MOST_QUERIES, replace=False))
    count = min(NEIGHBOURS, total - 1)
    unit_RD = torch.from_numpy(np.nan_to_num(unit(rows_RD)))
    found, values = [], []
    for part in np.array_split(queries, -(-len(queries) // _AT_ONCE)):
        cosine_QR = unit_RD[part] @ unit_RD.T
        cosine_QR[torch.arange(len(part)), torch.from_numpy(part)] = -2.0
        best = cosine_QR.topk(count, dim=1)
        found.append(best.indices.numpy())
        values.append(best.values.numpy())
    return Neighbours(queries, np.concatenate(found), np.concatenate(values))


RELATIONS = ("one base differs", "reverse complement", "shifted by one base")


def relations(queries_Q: Codes, others_Q: Codes, order: int) -> NDArray[np.bool_]:
    """Which of the :data:`RELATIONS` each pair has, (Q, 3); a pair may have several."""
    first, second = letters(queries_Q, order), letters(others_Q, order)
    substituted = (first != second).sum(1) == 1
    strand = reverse_complements(queries_Q, order) == others_Q
    shifted = (first[:, 1:] == second[:, :-1]).all(1) | (first[:, :-1] == second[:, 1:]).all(1)
    return np.stack((substituted, strand, shifted & (order > 1)), 1)


def chance(queries_Q: Codes, order: int) -> NDArray[np.float64]:
    """How often a random other k-mer has each of the :data:`RELATIONS` to these, (3,)."""
    total = 4**order - 1
    palindromes = (reverse_complements(queries_Q, order) == queries_Q).mean()
    every = np.arange(4**order)
    some = queries_Q[:: max(1, len(queries_Q) // 64)]
    shifted = [relations(np.full(4**order, query), every, order)[every != query, 2].sum() for query in some]
    return np.array([3 * order / total, (1 - palindromes) / total, np.mean(shifted) / total])
