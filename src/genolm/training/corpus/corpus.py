"""A corpus: its documents by split, and how an epoch mixes their sources."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from genolm.errors import InputError
from genolm.training.corpus.corpus_recipe import check_sources
from genolm.training.corpus.split_documents import DocumentSpans, Mixing


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """Runs by split. ``train`` shares no region with a held-out split, nor more than a few 28-mers of any piece.

    Attributes:
        splits: runs of ``train`` and of every held-out split.
        dropped: bases left out of training because they repeat held-out sequence.
        held_out: the regions of each held-out split.
        left_out: bases and contigs that each rule dropped.
        fingerprint: digest of all documents; equal corpora have equal ones.
    """

    splits: Mapping[str, DocumentSpans]
    dropped: int
    held_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    left_out: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    fingerprint: str = ""

    def bases(self, split: str) -> int:
        """Number of bases in a split."""
        return self.splits[split].bases


def check_not_empty(sizes: Mapping[str, int]) -> None:
    """Raises an InputError for a split without a document."""
    for name, size in sizes.items():
        if not size:
            raise InputError(f"no base of the corpus falls into the split {name!r}")


def check_sources_used(mixing: Mixing, met: Collection[str]) -> None:
    """Raises an InputError when a source that has a weight gives no training base."""
    if mixing.weights is not None:
        for name in mixing.sources:
            if name not in met:
                raise InputError("no training base is left of a source that has a weight", value=name)


def mixing_of(sources: tuple[str, ...], weights: Mapping[str, float], strand: str | float) -> Mixing:
    """How an epoch shows the documents of some sources.

    Raises:
        InputError: when weights are not those of the sources.
    """
    if not weights:
        return Mixing(sources, None, strand)
    check_sources(weights, sources)
    return Mixing(sources, tuple(float(weights[name]) for name in sources), strand)
