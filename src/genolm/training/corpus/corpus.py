"""Corpus: documents by split, and the mixing of their sources in an epoch."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from genolm.errors import InputError
from genolm.training.corpus.corpus_recipe import check_sources
from genolm.training.corpus.split_documents import DocumentSpans, Mixing


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """Documents by split. ``train`` shares no region with a held-out split, nor more than a few 28-mers of any piece.

    Attributes:
        splits: documents of ``train`` and of every held-out split.
        dropped: number of training bases that were left out because they repeat held-out sequence.
        held_out: held-out regions by split.
        left_out: bases and contigs that each rule dropped.
        fingerprint: digest of all documents; equal for equal corpora.
    """

    splits: Mapping[str, DocumentSpans]
    dropped: int
    held_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    left_out: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    fingerprint: str = ""

    def bases(self, split: str) -> int:
        """Return the number of bases in a split."""
        return self.splits[split].bases


def check_not_empty(sizes: Mapping[str, int]) -> None:
    """Raise an InputError for a split without documents."""
    for name, size in sizes.items():
        if not size:
            raise InputError(f"no base of the corpus falls into the split {name!r}")


def check_sources_used(mixing: Mixing, used: Collection[str]) -> None:
    """Raise an InputError if a source with a weight has no training bases."""
    if mixing.weights is not None:
        for name in mixing.sources:
            if name not in used:
                raise InputError("a source with a weight has no training bases left", value=name)


def mixing_of(sources: tuple[str, ...], weights: Mapping[str, float], strand: str | float) -> Mixing:
    """Return the mixing of some sources.

    Raises:
        InputError: the weights do not match the sources.
    """
    if not weights:
        return Mixing(sources, None, strand)
    check_sources(weights, sources)
    return Mixing(sources, tuple(float(weights[name]) for name in sources), strand)
