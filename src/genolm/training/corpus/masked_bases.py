"""Rules of quality control as stretches of a contig, and the tally of what each of them dropped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Spans = NDArray[np.int64]
"""Stretches of a contig, (n, 2): start and end, 0-based half-open, rising and apart from one another."""

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
"""Every reason for which bases are left out, in the order in which the rules are asked."""


@dataclass(slots=True)
class Tally:
    """What each rule dropped.

    Attributes:
        read: bases that were read, N included.
        contigs_read: contigs that were read.
        bases: dropped bases by rule.
        contigs: contigs that a rule dropped bases of, by rule.
    """

    read: int = 0
    contigs_read: int = 0
    bases: dict[str, int] = field(default_factory=lambda: dict.fromkeys(RULES, 0))
    contigs: dict[str, int] = field(default_factory=lambda: dict.fromkeys(RULES, 0))

    def add(self, rule: str, bases: int) -> None:
        """Counts what a rule dropped of one contig; call it once for a contig."""
        self.bases[rule] += bases
        self.contigs[rule] += bases > 0

    def to_dict(self) -> dict[str, dict[str, int]]:
        """Bases and contigs by rule."""
        return {rule: {"bases": self.bases[rule], "contigs": self.contigs[rule]} for rule in RULES}


def without(spans: Spans, holes: Spans) -> Spans:
    """The spans with the holes cut out."""
    low, high = np.iinfo(np.int64).min, np.iinfo(np.int64).max
    return common(spans, np.concatenate(([low], holes.reshape(-1), [high])).reshape(-1, 2).astype(np.int64))


def common(spans: Spans, others: Spans) -> Spans:
    """What lies in both."""
    first = np.searchsorted(others[:, 1], spans[:, 0], side="right")
    last = np.searchsorted(others[:, 0], spans[:, 1], side="left")
    count = np.maximum(last - first, 0)
    span = np.repeat(np.arange(len(spans)), count)
    other = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
    start = np.maximum(spans[span, 0], others[other, 0])
    end = np.minimum(spans[span, 1], others[other, 1])
    return np.stack([start, end], axis=1)[start < end]


def merged(spans: Spans) -> Spans:
    """Spans in any order, overlapping or not, as rising ones that are apart."""
    if not len(spans):
        return spans
    spans = spans[np.argsort(spans[:, 0], kind="stable")]
    reach = np.maximum.accumulate(spans[:, 1])
    begins = np.flatnonzero(np.concatenate(([True], spans[1:, 0] > reach[:-1])))
    ends = np.append(begins[1:], len(spans)) - 1
    return np.stack([spans[begins, 0], reach[ends]], axis=1)


def longer(spans: Spans, length: int) -> Spans:
    """Those of more than ``length`` bases."""
    return spans[spans[:, 1] - spans[:, 0] > length]


def size(spans: Spans) -> int:
    """Bases in all spans together."""
    return int((spans[:, 1] - spans[:, 0]).sum())


def pairs(spans: Spans) -> Iterator[tuple[int, int]]:
    """Start and end of each span."""
    yield from spans.tolist()
