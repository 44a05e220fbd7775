"""Agreement of a clustering with labels, and bootstrap intervals of the adjusted Rand index.

Shapes: N fragments, S labels, C clusters, J groups (fragments of one genome with the same label, cluster or both).
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
_QUANTILES = (0.025, 0.975)


class Agreement(NamedTuple):
    """Agreement of a clustering with labels. Noise points count as singleton clusters, except in `noise`.

    Attributes:
        ari: adjusted Rand index (Hubert and Arabie 1985): 0 by chance, 1 for perfect agreement.
        v_measure: harmonic mean of homogeneity and completeness (Rosenberg and Hirschberg 2007).
        homogeneity: 1 if every cluster contains fragments of a single label.
        completeness: 1 if all fragments of a label are in the same cluster.
        purity: fraction of fragments with the most frequent label of their cluster; singleton clusters are pure.
        noise: fraction of fragments without a cluster.
    """

    ari: float
    v_measure: float
    homogeneity: float
    completeness: float
    purity: float
    noise: float


def agreement(labels_N: Ints, clusters_N: Ints) -> Agreement:
    """Return the agreement of a clustering with labels.

    Args:
        labels_N: label of each fragment, as integers from 0.
        clusters_N: cluster of each fragment, as integers from 0; negative for noise.
    """
    noise_N = clusters_N < 0
    labels, clusters = int(labels_N.max()) + 1, max(0, int(clusters_N.max()) + 1)
    cells = labels_N[~noise_N] * clusters + clusters_N[~noise_N]
    table_SC = np.bincount(cells, minlength=labels * clusters).reshape(labels, clusters)
    noise_S = np.bincount(labels_N[noise_N], minlength=labels)
    return _from_counts(table_SC.astype(np.float64), noise_S.astype(np.float64))


def _from_counts(table_SC: Float64, noise_S: Float64) -> Agreement:
    """Return the agreement from the contingency table and the number of noise points of each label."""
    total = table_SC.sum() + noise_S.sum()
    label_S, cluster_C = table_SC.sum(1) + noise_S, table_SC.sum(0)
    ari = _adjusted_rand(_pairs(table_SC), _pairs(label_S), _pairs(cluster_C), total * (total - 1) / 2)
    noise = noise_S.sum()
    label_entropy = _entropy(label_S, total)
    cluster_entropy = _entropy(cluster_C, total) + noise / total * np.log(total)
    joint_entropy = _entropy(table_SC, total) + noise / total * np.log(total)
    homogeneity = 1.0 if label_entropy <= 0 else 1 - (joint_entropy - cluster_entropy) / label_entropy
    completeness = 1.0 if cluster_entropy <= 0 else 1 - (joint_entropy - label_entropy) / cluster_entropy
    both = homogeneity + completeness
    v_measure = 2 * homogeneity * completeness / both if both > 0 else 0.0
    purity = ((table_SC.max(0).sum() if table_SC.size else 0.0) + noise) / total
    return Agreement(*map(float, (ari, v_measure, homogeneity, completeness, purity, noise / total)))


def _pairs(counts: Float64) -> float:
    return float((counts * (counts - 1)).sum() / 2)


def _adjusted_rand(both: float, labels: float, clusters: float, all_pairs: float) -> float:
    if all_pairs == 0:
        return 1.0
    expected = labels * clusters / all_pairs
    maximum = (labels + clusters) / 2
    return 1.0 if maximum == expected else (both - expected) / (maximum - expected)


def _entropy(counts: Float64, total: float) -> float:
    shares = counts[counts > 0] / total
    return float(-(shares * np.log(shares)).sum())


def ari_interval(
    labels_N: Ints, clusters_N: Ints, genomes_N: Ints, over: Resampled, seed: int
) -> tuple[float, float] | None:
    """Return the 95 % bootstrap percentile interval of the adjusted Rand index; None if it cannot be resampled.

    The index is computed from counts of pairs. A genome or fragment that is sampled twice would be paired with its own
    copy, which has the same label and cluster and biases the index upwards. Such pairs are excluded, and the remaining
    pairs are rescaled to the original number. Resamples with a single label are skipped. The other measures of
    `Agreement` cannot be corrected in this way and have no interval.

    Args:
        labels_N: label of each fragment.
        clusters_N: cluster of each fragment, negative for noise.
        genomes_N: genome of each fragment, as integers from 0.
        over: resampling unit: ``genomes``, for the variation between choices of genomes, or ``fragments`` within each
            genome. The clustering is not repeated.
        seed: random seed.
    """
    singletons_N = np.where(clusters_N < 0, clusters_N.max() + 1 + np.arange(len(clusters_N)), clusters_N)
    keys = (labels_N * (int(singletons_N.max()) + 1) + singletons_N, labels_N, singletons_N, np.zeros_like(labels_N))
    groups = [_Groups.of(key_N, genomes_N) for key_N in keys]
    random = np.random.default_rng(seed)
    distinct, values = set[bytes](), list[float]()
    for _ in range(_RESAMPLES):
        weights_N = _resample_genomes(genomes_N, random) if over == "genomes" else _resample(genomes_N, random)
        if len(np.unique(labels_N[weights_N > 0])) < 2:
            continue
        values.append(_adjusted_rand(*(group.pairs(weights_N, over) for group in groups)))
        distinct.add(weights_N.tobytes())
    if len(distinct) < 2:
        return None
    low, high = np.quantile(values, _QUANTILES)
    return float(low), float(high)


@dataclass(frozen=True, slots=True)
class _Groups:
    """Groups of fragments of one genome with the same key: label, cluster, both, or none.

    Attributes:
        group_N: group of each fragment.
        first_J: one fragment of each group.
        genome_J: genome of each group.
        key_J: key of each group, as integers from 0.
        size_J: number of fragments in each group.
        fragments_J: number of fragments of the genome of each group.
    """

    group_N: Ints
    first_J: Ints
    genome_J: Ints
    key_J: Ints
    size_J: Float64
    fragments_J: Float64

    @classmethod
    def of(cls, key_N: Ints, genomes_N: Ints) -> _Groups:
        """Return the groups of every genome and key."""
        keys_N = np.unique(key_N, return_inverse=True)[1]
        width = int(keys_N.max()) + 1
        codes_J, first_J, group_N, size_J = np.unique(
            genomes_N * width + keys_N, return_index=True, return_inverse=True, return_counts=True
        )
        genome_J = codes_J // width
        fragments_J = np.bincount(genomes_N)[genome_J].astype(np.float64)
        return cls(group_N, first_J, genome_J, codes_J % width, size_J.astype(np.float64), fragments_J)

    def pairs(self, weights_N: Ints, over: Resampled) -> float:
        """Return the number of pairs with the same key in a resample, excluding pairs of copies."""
        return self._genome_pairs(weights_N) if over == "genomes" else self._fragment_pairs(weights_N)

    def _genome_pairs(self, weights_N: Ints) -> float:
        """Pairs within each genome, weighted by its multiplicity, and between different genomes."""
        genomes = int(self.genome_J.max()) + 1
        weight_J = weights_N[self.first_J].astype(np.float64)
        within = (weight_J * self.size_J * (self.size_J - 1)).sum() / 2
        return float(within + self._between(weight_J * self.size_J) * genomes / max(1, genomes - 1))

    def _fragment_pairs(self, weights_N: Ints) -> float:
        """Pairs of different fragments, which were resampled within their genomes."""
        count_J = np.asarray(np.bincount(self.group_N, weights_N, len(self.size_J)), np.float64)
        copies_J = np.bincount(self.group_N, np.square(weights_N, dtype=np.float64), len(self.size_J))
        scale_J = self.fragments_J / np.maximum(1, self.fragments_J - 1)
        within = (scale_J * (count_J**2 - copies_J)).sum() / 2
        return float(within + self._between(count_J))

    def _between(self, count_J: Float64) -> float:
        """Pairs of the same key and different genomes."""
        return float(((np.bincount(self.key_J, count_J) ** 2).sum() - (count_J**2).sum()) / 2)


def _resample_genomes(genomes_N: Ints, random: np.random.Generator) -> Ints:
    count = int(genomes_N.max()) + 1
    return np.asarray(random.multinomial(count, np.full(count, 1 / count))[genomes_N])


def _resample(genomes_N: Ints, random: np.random.Generator) -> Ints:
    weights_N = np.zeros(len(genomes_N), np.int64)
    for genome in np.unique(genomes_N):
        members = np.flatnonzero(genomes_N == genome)
        weights_N[members] = random.multinomial(len(members), np.full(len(members), 1 / len(members)))
    return weights_N
