"""Loading of a corpus: in memory from FASTA files, or mapped from a built folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from genolm.genome.kmers import KmerSet
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.corpus.corpus import Corpus, check_not_empty, check_sources_used, mixing_of
from genolm.training.corpus.corpus_recipe import CorpusRecipe
from genolm.training.corpus.corpus_regions import TRAIN
from genolm.training.corpus.documents import Cleaner, Document, Sieve, read_contigs
from genolm.training.corpus.masked_bases import Tally
from genolm.training.corpus.reading import open_corpus
from genolm.training.corpus.split_documents import DocumentSpan, DocumentSpans, Mixing

Ids = NDArray[np.uint8]


def load_corpus(recipe: CorpusRecipe, tokenizer: NucleotideTokenizer) -> Corpus:
    """Read and divide the recipe's FASTA files, or open its ``built`` folder.

    Raises:
        InputError: a file does not exist; a held-out split or the training split has no bases; a held-out region
            matches no contig; a built folder is damaged, or its training documents overlap a held-out region.
    """
    if recipe.built:
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
    check_not_empty({name: len(documents) for name, documents in splits.items()})
    cleaner.check_regions()
    held_out = KmerSet(_held_out_ids(splits), tokenizer.base_ids)
    sieve = Sieve(recipe, tokenizer, held_out)
    splits[TRAIN] = [kept for documents in training for kept in sieve.keep(documents, tally)]
    check_not_empty({name: len(documents) for name, documents in splits.items()})
    sources = tuple(dict.fromkeys(assembly.source for assembly in cleaner.assemblies))
    mixing = mixing_of(sources, recipe.weights, recipe.strand)
    check_sources_used(mixing, {document.assembly.source for document in splits[TRAIN]})
    spans = {name: _document_spans(documents, mixing) for name, documents in splits.items()}
    return Corpus(spans, tally.bases["leak"], recipe.regions(), tally.to_dict(), _fingerprint(spans))


def _held_out_ids(splits: Mapping[str, list[Document]]) -> Iterator[Ids]:
    return (document.ids for name, documents in splits.items() if name != TRAIN for document in documents)


def _document_spans(documents: list[Document], mixing: Mixing) -> DocumentSpans:
    spans = [DocumentSpan(document.interval, document.ids, document.assembly.name) for document in documents]
    return DocumentSpans.of(spans).mixed([document.assembly.source for document in documents], mixing)


def _fingerprint(splits: Mapping[str, DocumentSpans]) -> str:
    digest = hashlib.sha256()
    for name, documents in splits.items():
        digest.update(f"{name} {len(documents)} ".encode())
        for document in documents:
            digest.update(f"{document.assembly} {document.interval} ".encode())
            digest.update(document.ids.data)
    return digest.hexdigest()
