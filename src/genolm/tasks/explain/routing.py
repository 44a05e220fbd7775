"""Classes of bases, routing shares of each class, and association of class and expert.

L bases, C experts chosen, E experts in total.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolm.arrays import Float64
from genolm.statistics.bootstrap import cramers_v, entropy
from genolm.tasks.explain.gene_annotation import REGION_TYPES

PERMUTATIONS = 99
_COVERED = (0.025, 0.975)

Grouping = Literal["base", "cpg", "region"]

NO_CLASS = 255

BASES = ("A", "C", "G", "T", "N")

CPG = ("C or G elsewhere", "in CpG")

CLASSES: dict[Grouping, tuple[str, ...]] = {"base": BASES, "cpg": CPG, "region": REGION_TYPES}
"""Classes of each grouping. ``cpg`` distinguishes C and G only, so that it is not a proxy of the letter."""


@dataclass(frozen=True, slots=True)
class Labels:
    """Class of every base in each grouping; 255 for none."""

    by_grouping: dict[Grouping, NDArray[np.uint8]]

    @classmethod
    def of(cls, sequence: str, regions: NDArray[np.uint8] | None) -> Labels:
        """Return the labels of a sequence; region labels only if region types are given."""
        labels: dict[Grouping, NDArray[np.uint8]] = {"base": base_classes(sequence), "cpg": cpg_classes(sequence)}
        return cls(labels if regions is None else {**labels, "region": regions})


def base_classes(sequence: str) -> NDArray[np.uint8]:
    """Return the index of every letter in :data:`BASES`."""
    table = np.full(256, NO_CLASS, np.uint8)
    for number, letter in enumerate(BASES):
        table[ord(letter)] = number
    return np.asarray(table[np.frombuffer(sequence.encode("ascii"), np.uint8)])


def cpg_classes(sequence: str) -> NDArray[np.uint8]:
    """Return 1 for both bases of a CpG, 0 for any other C or G, 255 for A, T and N."""
    letters = np.frombuffer(sequence.encode("ascii"), "S1")
    classes = np.full(len(letters), NO_CLASS, np.uint8)
    classes[(letters == b"C") | (letters == b"G")] = 0
    pairs = np.flatnonzero((letters[:-1] == b"C") & (letters[1:] == b"G"))
    classes[pairs] = classes[pairs + 1] = 1
    return classes


class Association(NamedTuple):
    """Association of a grouping of bases with the choice of experts in one layer.

    Attributes:
        shares: share of each class's choices per expert, (classes, E); NaN for a class without bases.
        shares_low: lower end of the 95 % range under shifted labels.
        shares_high: upper end of that range.
        tokens: bases of each class.
        chi_square: chi-square statistic of the table of classes and experts.
        cramers_v: 0 for independence, 1 if the class determines the expert.
        permuted_v: mean of Cramér's V under shifted labels.
        permuted_high: 97.5 % quantile of Cramér's V under shifted labels.
        p: share of shifts, the observed labels included, with a V at least as large.
    """

    shares: Float64
    shares_low: Float64
    shares_high: Float64
    tokens: NDArray[np.int64]
    chi_square: float
    cramers_v: float
    permuted_v: float
    permuted_high: float
    p: float


def associate(
    chosen_LC: NDArray[np.integer[Any]], labels_L: NDArray[np.uint8], classes: int, experts: int, seed: int
) -> Association:
    """Compare choices with labels and with the same labels shifted along the bases.

    Labels are shifted circularly by random distances. This breaks the association of label and choice but keeps runs of
    one label (such as introns), which a permutation of single bases would not. Bases without a label are removed first,
    so that labels of C and G are compared on C and G only.

    Args:
        chosen_LC: experts of every base.
        labels_L: class of every base; 255 leaves it out.
        classes: number of classes.
        experts: number of experts.
        seed: random seed of the distances.
    """
    kept = labels_L != NO_CLASS
    chosen_LC, labels_L = chosen_LC[kept], labels_L[kept]
    observed = _counts(chosen_LC, labels_L, classes, experts)
    random = np.random.default_rng(seed)
    distances = random.integers(1, max(2, len(labels_L)), size=PERMUTATIONS)
    permuted = np.stack([_counts(chosen_LC, np.roll(labels_L, step), classes, experts) for step in distances])
    values = np.array([cramers_v(table)[1] for table in permuted])
    chi_square, v = cramers_v(observed)
    low, high = np.quantile(np.stack([_shares(table) for table in permuted]), _COVERED, axis=0)
    p = (1 + int((values >= v).sum())) / (1 + PERMUTATIONS)
    tokens = np.bincount(labels_L, minlength=classes)
    top = float(np.quantile(values, _COVERED[1]))
    return Association(_shares(observed), low, high, tokens, chi_square, v, float(values.mean()), top, p)


def class_entropies(shares: Float64) -> Sequence[float]:
    """Return the entropy of each class's shares, nats; NaN for a class without bases."""
    return [float("nan") if np.isnan(row).any() else entropy(row) for row in shares]


def _counts(
    chosen_LC: NDArray[np.integer[Any]], labels_L: NDArray[np.uint8], classes: int, experts: int
) -> NDArray[np.float64]:
    """Return how often each class chose each expert, (classes, E)."""
    cells = labels_L.astype(np.int64)[:, None] * experts + chosen_LC
    return np.bincount(cells.ravel(), minlength=classes * experts).reshape(classes, experts).astype(np.float64)


def _shares(counts: Float64) -> Float64:
    total = counts.sum(1, keepdims=True)
    return np.divide(counts, total, out=np.full_like(counts, np.nan), where=total > 0)
