"""How well clusters agree with labels, noise counted as clusters of one; intervals from resampled genomes or fragments.

N fragments, S labels, C clusters.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Resampled = Literal["genomes", "fragments"]

_RESAMPLES = 500
_COVERED = (0.025, 0.975)


class Agreement(NamedTuple):
    """Figures of a clustering; noise points are clusters of their own in all but the last.

    Attributes:
        ari: adjusted Rand index (Hubert and Arabie 1985): 0 by chance, 1 for the labels themselves.
        v_measure: harmonic mean of the next two (Rosenberg and Hirschberg 2007).
        homogeneity: 1 where every cluster has fragments of one label only.
        completeness: 1 where every label lies in one cluster only.
        purity: share of fragments with the commonest label of their cluster. A cluster of one is pure.
        noise: share of fragments that lie in no cluster.
    """

    ari: float
    v_measure: float
    homogeneity: float
    completeness: float
    purity: float
    noise: float


class Interval(NamedTuple):
    """Both ends of 95 % intervals of an :class:`Agreement`."""

    low: Agreement
    high: Agreement


def agreement(labels_N: Ints, clusters_N: Ints, weights_N: Ints | None = None) -> Agreement:
    """The figures of a clustering.

    Args:
        labels_N: label numbers, from 0.
        clusters_N: cluster numbers, from 0; negative for noise.
        weights_N: how often each fragment counts; None for once.
    """
    weights = np.ones(len(labels_N), np.int64) if weights_N is None else weights_N
    noise_N = clusters_N < 0
    labels, clusters = int(labels_N.max()) + 1, max(0, int(clusters_N.max()) + 1)
    inside = ~noise_N
    cells = labels_N[inside] * clusters + clusters_N[inside]
    table_SC = np.bincount(cells, weights[inside], labels * clusters).reshape(labels, clusters)
    alone_S = np.bincount(labels_N[noise_N], weights[noise_N], labels)
    return _figures(table_SC.astype(np.float64), alone_S.astype(np.float64))


def _figures(table_SC: Floats, alone_S: Floats) -> Agreement:
    """From the counts of labels in clusters, and of the points of each label that are clusters of one."""
    total = table_SC.sum() + alone_S.sum()
    label_S, cluster_C = table_SC.sum(1) + alone_S, table_SC.sum(0)
    ari = _adjusted_rand(_pairs(table_SC), _pairs(label_S), _pairs(cluster_C), total * (total - 1) / 2)
    ones = alone_S.sum()
    of_labels = _entropy(label_S, total)
    of_clusters = _entropy(cluster_C, total) + ones / total * np.log(total)
    of_both = _entropy(table_SC, total) + ones / total * np.log(total)
    homogeneity = 1.0 if of_labels <= 0 else 1 - (of_both - of_clusters) / of_labels
    completeness = 1.0 if of_clusters <= 0 else 1 - (of_both - of_labels) / of_clusters
    both = homogeneity + completeness
    v_measure = 2 * homogeneity * completeness / both if both > 0 else 0.0
    purity = ((table_SC.max(0).sum() if table_SC.size else 0.0) + ones) / total
    return Agreement(*map(float, (ari, v_measure, homogeneity, completeness, purity, ones / total)))


def _pairs(counts: Floats) -> float:
    return float((counts * (counts - 1)).sum() / 2)


def _adjusted_rand(both: float, labels: float, clusters: float, all_pairs: float) -> float:
    if all_pairs == 0:
        return 1.0
    expected = labels * clusters / all_pairs
    most = (labels + clusters) / 2
    return 1.0 if most == expected else (both - expected) / (most - expected)


def _entropy(counts: Floats, total: float) -> float:
    shares = counts[counts > 0] / total
    return float(-(shares * np.log(shares)).sum())


def intervals(labels_N: Ints, clusters_N: Ints, genomes_N: Ints, over: Resampled, seed: int) -> Interval | None:
    """95 % percentile intervals; None where there are fewer than two genomes or fragments to draw from.

    Args:
        labels_N: label numbers.
        clusters_N: cluster numbers, negative for noise.
        genomes_N: genome numbers, from 0.
        over: draw whole ``genomes``, which says how figures vary from one choice of genomes to the next, or
            ``fragments`` within each genome. The clustering is not done again.
        seed: of the draws.
    """
    groups_N = genomes_N if over == "genomes" else np.arange(len(genomes_N))
    if len(np.unique(groups_N)) < 2:
        return None
    random = np.random.default_rng(seed)
    drawn = []
    for _ in range(_RESAMPLES):
        weights_N = _drawn_genomes(genomes_N, random) if over == "genomes" else _drawn_fragments(genomes_N, random)
        drawn.append(agreement(labels_N, clusters_N, weights_N))
    low, high = np.quantile(np.array(drawn), _COVERED, axis=0)
    return Interval(Agreement(*low.tolist()), Agreement(*high.tolist()))


def _drawn_genomes(genomes_N: Ints, random: np.random.Generator) -> Ints:
    count = int(genomes_N.max()) + 1
    return np.asarray(random.multinomial(count, np.full(count, 1 / count))[genomes_N])


def _drawn_fragments(genomes_N: Ints, random: np.random.Generator) -> Ints:
    weights_N = np.zeros(len(genomes_N), np.int64)
    for genome in np.unique(genomes_N):
        places = np.flatnonzero(genomes_N == genome)
        weights_N[places] = random.multinomial(len(places), np.full(len(places), 1 / len(places)))
    return weights_N
