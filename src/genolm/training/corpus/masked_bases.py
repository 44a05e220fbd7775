"""Quality-control rules as spans of a contig, and the tally of the bases that each rule dropped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Spans = NDArray[np.int64]
"""Disjoint spans of a contig in ascending order, (n, 2): start and end, 0-based and half-open."""

RULES = {
    "skip": "in a region that belongs to no split",
    "short_contig": "in contigs shorter than min_contig",
    "n_run": "N that ends a document",
    "soft_masked_stretch": "in stretches of lower case longer than longest_soft_masked",
    "far_from_genes": "farther than gene_distance from every gene",
    "short_run": "in documents shorter than min_run",
    "soft_masked_document": "in documents with more lower case than max_soft_masked",
    "duplicate": "in contigs equal to an earlier one",
    "near_duplicate": "in contigs too much like earlier ones",
    "leak": "repeats held-out sequence",
}
"""Reasons for leaving bases out, in the order in which the rules are applied."""


@dataclass(slots=True)
class Tally:
    """Counts of the bases that each rule dropped.

    Attributes:
        read: number of bases read, including N.
        contigs_read: number of contigs read.
        bases: dropped bases by rule.
        contigs: number of contigs with dropped bases, by rule.
    """

    read: int = 0
    contigs_read: int = 0
    bases: dict[str, int] = field(default_factory=lambda: dict.fromkeys(RULES, 0))
    contigs: dict[str, int] = field(default_factory=lambda: dict.fromkeys(RULES, 0))

    def add(self, rule: str, bases: int) -> None:
        """Count the bases of one contig that a rule dropped; must be called once per contig and rule."""
        self.bases[rule] += bases
        self.contigs[rule] += bases > 0

    def to_dict(self) -> dict[str, dict[str, int]]:
        """Return dropped bases and contigs by rule."""
        return {rule: {"bases": self.bases[rule], "contigs": self.contigs[rule]} for rule in RULES}


def without(spans: Spans, holes: Spans) -> Spans:
    """Return the spans with the holes removed."""
    low, high = np.iinfo(np.int64).min, np.iinfo(np.int64).max
    return common(spans, np.concatenate(([low], holes.reshape(-1), [high])).reshape(-1, 2).astype(np.int64))


def common(spans: Spans, others: Spans) -> Spans:
    """Return the intersection of two sets of spans."""
    first = np.searchsorted(others[:, 1], spans[:, 0], side="right")
    last = np.searchsorted(others[:, 0], spans[:, 1], side="left")
    count = np.maximum(last - first, 0)
    span = np.repeat(np.arange(len(spans)), count)
    other = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
    start = np.maximum(spans[span, 0], others[other, 0])
    end = np.minimum(spans[span, 1], others[other, 1])
    return np.stack([start, end], axis=1)[start < end]


def merged(spans: Spans) -> Spans:
    """Merge spans in any order, overlapping or not, into ascending disjoint ones."""
    if not len(spans):
        return spans
    spans = spans[np.argsort(spans[:, 0], kind="stable")]
    reach = np.maximum.accumulate(spans[:, 1])
    begins = np.flatnonzero(np.concatenate(([True], spans[1:, 0] > reach[:-1])))
    ends = np.append(begins[1:], len(spans)) - 1
    return np.stack([spans[begins, 0], reach[ends]], axis=1)


def longer(spans: Spans, length: int) -> Spans:
    """Return the spans of more than ``length`` bases."""
    return spans[spans[:, 1] - spans[:, 0] > length]


def size(spans: Spans) -> int:
    """Return the number of bases in all spans."""
    return int((spans[:, 1] - spans[:, 0]).sum())


def pairs(spans: Spans) -> Iterator[tuple[int, int]]:
    """Yield start and end of each span."""
    yield from spans.tolist()
