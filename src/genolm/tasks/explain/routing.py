"""Shares of experts by class of base, and how strongly class and expert go together.

L bases, C experts chosen, E all.
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


class Association(NamedTuple):
    """How strongly a grouping of bases and the choice of experts go together in one layer.

    Attributes:
        shares: share of each class's choices that went to each expert, (classes, E); NaN for a class without bases.
        shares_low: lower end of the 95 % range under permuted labels.
        shares_high: upper end of it.
        tokens: bases of each class.
        chi_square: of the table of classes and experts.
        cramers_v: 0 for independence, 1 for a choice that the class decides.
        permuted_v: mean of Cramér's V under permuted labels.
        permuted_high: 97.5 % quantile of it.
        p: share of permutations, the observed labels among them, with as large a V.
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
    """Compares choices with labels and with the same labels moved along the bases.

    The labels are turned round as a ring by a random distance. That breaks every tie between label and choice but keeps
    their runs: long stretches of one label (an intron) stay long, as a shuffle of single bases would not. Bases without
    a label are left out first, so that labels of C and G are only ever compared on C and G.

    Args:
        chosen_LC: the experts of every base.
        labels_L: its class; 255 leaves it out.
        classes: how many classes there are.
        experts: how many experts there are.
        seed: of the distances.
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
    """Entropy of each class's shares, nats; NaN for a class without bases."""
    return [float("nan") if np.isnan(row).any() else entropy(row) for row in shares]


def _counts(
    chosen_LC: NDArray[np.integer[Any]], labels_L: NDArray[np.uint8], classes: int, experts: int
) -> NDArray[np.float64]:
    """How often each class chose each expert, (classes, E)."""
    cells = labels_L.astype(np.int64)[:, None] * experts + chosen_LC
    return np.bincount(cells.ravel(), minlength=classes * experts).reshape(classes, experts).astype(np.float64)


def _shares(counts: Float64) -> Float64:
    total = counts.sum(1, keepdims=True)
    return np.divide(counts, total, out=np.full_like(counts, np.nan), where=total > 0)


Grouping = Literal["base", "cpg", "region"]


NO_CLASS = 255


BASES = ("A", "C", "G", "T", "N")


CPG = ("C or G elsewhere", "in CpG")


CLASSES: dict[Grouping, tuple[str, ...]] = {"base": BASES, "cpg": CPG, "region": REGION_TYPES}
"""The classes of each grouping. ``cpg`` tells apart C and G only, so that it is not another name for the letter."""


@dataclass(frozen=True, slots=True)
class Labels:
    """The class of every base in each grouping; 255 for none."""

    by_grouping: dict[Grouping, NDArray[np.uint8]]

    @classmethod
    def of(cls, sequence: str, regions: NDArray[np.uint8] | None) -> Labels:
        """Labels of a sequence; by region only where the genes are known."""
        found: dict[Grouping, NDArray[np.uint8]] = {"base": base_classes(sequence), "cpg": cpg_classes(sequence)}
        return cls(found if regions is None else {**found, "region": regions})


def base_classes(sequence: str) -> NDArray[np.uint8]:
    """The number of every letter in :data:`BASES`."""
    table = np.full(256, NO_CLASS, np.uint8)
    for number, letter in enumerate(BASES):
        table[ord(letter)] = number
    return np.asarray(table[np.frombuffer(sequence.encode("ascii"), np.uint8)])


def cpg_classes(sequence: str) -> NDArray[np.uint8]:
    """1 for both bases of a CpG, 0 for any other C or G, 255 for A, T and N."""
    letters = np.frombuffer(sequence.encode("ascii"), "S1")
    classes = np.full(len(letters), NO_CLASS, np.uint8)
    classes[(letters == b"C") | (letters == b"G")] = 0
    pairs = np.flatnonzero((letters[:-1] == b"C") & (letters[1:] == b"G"))
    classes[pairs] = classes[pairs + 1] = 1
    return classes
