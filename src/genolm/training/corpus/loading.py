"""A corpus in memory, out of FASTA files, or on disk, out of a folder that was built."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from genolm.errors import InputError
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.corpus.corpus_recipe import CorpusRecipe, check_sources
from genolm.training.corpus.corpus_regions import TRAIN
from genolm.training.corpus.documents import Cleaner, Document, Sieve, read_contigs
from genolm.training.corpus.leakage import KmerSet
from genolm.training.corpus.masked_bases import Tally
from genolm.training.corpus.split_documents import Mixing, Run, Runs

Ids = NDArray[np.uint8]


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

    splits: Mapping[str, Runs]
    dropped: int
    held_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    left_out: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    fingerprint: str = ""

    def bases(self, split: str) -> int:
        """Number of bases in a split."""
        return self.splits[split].bases


def load_corpus(recipe: CorpusRecipe, tokenizer: NucleotideTokenizer) -> Corpus:
    """Read the recipe's FASTA files and divide them, or open the folder that it names as ``built``.

    Raises:
        InputError: for a file that is not there, a held-out split that no base falls into, a held-out region in which
            no contig lies, no training base, a folder that is damaged or whose training documents overlap a held-out
            region.
    """
    if recipe.built:
        from genolm.training.corpus.reading import open_corpus

        return open_corpus(recipe.built, tokenizer, recipe.weights)
    cleaner, tally = Cleaner(recipe, tokenizer), Tally()
    splits: dict[str, list[Document]] = {TRAIN: [], **{name: [] for name in recipe.regions()}}
    training: list[list[Document]] = []
    for assembly in cleaner.assemblies:
        for contig in read_contigs(assembly, tokenizer):
            documents = cleaner.documents(contig, tally)
            training.append([document for document in documents if document.split == TRAIN])
            for document in documents:
                splits[document.split].append(document)
    refuse_empty({name: len(documents) for name, documents in splits.items()})
    cleaner.check_regions()
    held_out = KmerSet(_held_out_ids(splits), tokenizer.base_ids)
    sieve = Sieve(recipe, tokenizer, held_out)
    splits[TRAIN] = [kept for documents in training for kept in sieve.keep(documents, tally)]
    refuse_empty({name: len(documents) for name, documents in splits.items()})
    mixing = mixing_of(tuple(dict.fromkeys(one.source for one in cleaner.assemblies)), recipe.weights, recipe.strand)
    refuse_idle_sources(mixing, {document.assembly.source for document in splits[TRAIN]})
    runs = {name: _runs(documents, mixing) for name, documents in splits.items()}
    return Corpus(runs, tally.bases["leak"], recipe.regions(), tally.to_dict(), _fingerprint(runs))


def refuse_empty(sizes: Mapping[str, int]) -> None:
    """Raises an InputError for a split without a document."""
    for name, size in sizes.items():
        if not size:
            raise InputError(f"no base of the corpus falls into the split {name!r}")


def refuse_idle_sources(mixing: Mixing, met: Collection[str]) -> None:
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


def _held_out_ids(splits: Mapping[str, list[Document]]) -> Iterator[Ids]:
    return (document.ids for name, documents in splits.items() if name != TRAIN for document in documents)


def _runs(documents: list[Document], mixing: Mixing) -> Runs:
    plain = [Run(document.interval, document.ids, document.assembly.name) for document in documents]
    return Runs.of(plain).mixed([document.assembly.source for document in documents], mixing)


def _fingerprint(splits: Mapping[str, Runs]) -> str:
    digest = hashlib.sha256()
    for name, runs in splits.items():
        digest.update(f"{name} {len(runs)} ".encode())
        for run in runs:
            digest.update(f"{run.assembly} {run.interval} ".encode())
            digest.update(run.ids.data)
    return digest.hexdigest()
