"""How well clusters agree with labels, noise counted as clusters of one; and how sure the adjusted Rand index is.

N fragments, S labels, C clusters, J groups of fragments of one genome and one label, cluster or both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolm.arrays import Float64

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


def agreement(labels_N: Ints, clusters_N: Ints) -> Agreement:
    """The figures of a clustering.

    Args:
        labels_N: label numbers, from 0.
        clusters_N: cluster numbers, from 0; negative for noise.
    """
    noise_N = clusters_N < 0
    labels, clusters = int(labels_N.max()) + 1, max(0, int(clusters_N.max()) + 1)
    cells = labels_N[~noise_N] * clusters + clusters_N[~noise_N]
    table_SC = np.bincount(cells, minlength=labels * clusters).reshape(labels, clusters)
    alone_S = np.bincount(labels_N[noise_N], minlength=labels)
    return _figures(table_SC.astype(np.float64), alone_S.astype(np.float64))


def _figures(table_SC: Float64, alone_S: Float64) -> Agreement:
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


def _pairs(counts: Float64) -> float:
    return float((counts * (counts - 1)).sum() / 2)


def _adjusted_rand(both: float, labels: float, clusters: float, all_pairs: float) -> float:
    if all_pairs == 0:
        return 1.0
    expected = labels * clusters / all_pairs
    most = (labels + clusters) / 2
    return 1.0 if most == expected else (both - expected) / (most - expected)


def _entropy(counts: Float64, total: float) -> float:
    shares = counts[counts > 0] / total
    return float(-(shares * np.log(shares)).sum())


def ari_interval(
    labels_N: Ints, clusters_N: Ints, genomes_N: Ints, over: Resampled, seed: int
) -> tuple[float, float] | None:
    """95 % percentile interval of the adjusted Rand index; None where there is nothing to draw from.

    The index is made of counts of pairs. A genome, or a fragment, that is drawn twice would be paired with its own
    copy, which has the same label and cluster, and make the index too high: such pairs are not counted. The pairs that
    resampling is short of for that are scaled up to as many as there are. Draws with one label only, whose index says
    nothing, are passed over. The other figures have no such remedy, and no interval.

    Args:
        labels_N: label numbers.
        clusters_N: cluster numbers, negative for noise.
        genomes_N: genome numbers, from 0.
        over: draw whole ``genomes``, which says how the index varies from one choice of genomes to the next, or
            ``fragments`` within each genome. The clustering is not done again.
        seed: of the draws.
    """
    alone_N = np.where(clusters_N < 0, clusters_N.max() + 1 + np.arange(len(clusters_N)), clusters_N)
    keys = (labels_N * (int(alone_N.max()) + 1) + alone_N, labels_N, alone_N, np.zeros_like(labels_N))
    parts = [_Groups.of(key_N, genomes_N) for key_N in keys]
    random = np.random.default_rng(seed)
    drawn, found = set[bytes](), list[float]()
    for _ in range(_RESAMPLES):
        weights_N = _drawn_genomes(genomes_N, random) if over == "genomes" else _drawn_fragments(genomes_N, random)
        if len(np.unique(labels_N[weights_N > 0])) < 2:
            continue
        found.append(_adjusted_rand(*(part.pairs(weights_N, over) for part in parts)))
        drawn.add(weights_N.tobytes())
    if len(drawn) < 2:
        return None
    low, high = np.quantile(found, _COVERED)
    return float(low), float(high)


@dataclass(frozen=True, slots=True)
class _Groups:
    """Fragments of one genome that share a key: a label, a cluster, both, or nothing.

    Attributes:
        group_N: group of each fragment.
        first_J: a fragment of each group.
        genome_J: genome of each group.
        key_J: key of each group, from 0.
        size_J: fragments of each group.
        fragments_J: fragments of each group's genome.
    """

    group_N: Ints
    first_J: Ints
    genome_J: Ints
    key_J: Ints
    size_J: Float64
    fragments_J: Float64

    @classmethod
    def of(cls, key_N: Ints, genomes_N: Ints) -> _Groups:
        """The groups of every genome and key."""
        keys_N = np.unique(key_N, return_inverse=True)[1]
        width = int(keys_N.max()) + 1
        codes_J, first_J, group_N, size_J = np.unique(
            genomes_N * width + keys_N, return_index=True, return_inverse=True, return_counts=True
        )
        genome_J = codes_J // width
        fragments_J = np.bincount(genomes_N)[genome_J].astype(np.float64)
        return cls(group_N, first_J, genome_J, codes_J % width, size_J.astype(np.float64), fragments_J)

    def pairs(self, weights_N: Ints, over: Resampled) -> float:
        """Pairs of one key among what was drawn, without those of copies."""
        return self._of_genomes(weights_N) if over == "genomes" else self._of_fragments(weights_N)

    def _of_genomes(self, weights_N: Ints) -> float:
        """Within each genome as often as it was drawn, and between different genomes."""
        genomes = int(self.genome_J.max()) + 1
        weight_J = weights_N[self.first_J].astype(np.float64)
        within = (weight_J * self.size_J * (self.size_J - 1)).sum() / 2
        return float(within + self._between(weight_J * self.size_J) * genomes / max(1, genomes - 1))

    def _of_fragments(self, weights_N: Ints) -> float:
        """Between different fragments, which were drawn within their genomes."""
        drawn_J = np.asarray(np.bincount(self.group_N, weights_N, len(self.size_J)), np.float64)
        copies_J = np.bincount(self.group_N, np.square(weights_N, dtype=np.float64), len(self.size_J))
        scale_J = self.fragments_J / np.maximum(1, self.fragments_J - 1)
        within = (scale_J * (drawn_J**2 - copies_J)).sum() / 2
        return float(within + self._between(drawn_J))

    def _between(self, drawn_J: Float64) -> float:
        """Pairs of one key and different genomes."""
        return float(((np.bincount(self.key_J, drawn_J) ** 2).sum() - (drawn_J**2).sum()) / 2)


def _drawn_genomes(genomes_N: Ints, random: np.random.Generator) -> Ints:
    count = int(genomes_N.max()) + 1
    return np.asarray(random.multinomial(count, np.full(count, 1 / count))[genomes_N])


def _drawn_fragments(genomes_N: Ints, random: np.random.Generator) -> Ints:
    weights_N = np.zeros(len(genomes_N), np.int64)
    for genome in np.unique(genomes_N):
        places = np.flatnonzero(genomes_N == genome)
        weights_N[places] = random.multinomial(len(places), np.full(len(places), 1 / len(places)))
    return weights_N
