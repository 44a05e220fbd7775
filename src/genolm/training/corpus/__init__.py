"""Training corpora: from FASTA files to clean documents, in memory or as shards, and to rows in a fixed order."""

from genolm.training.corpus.build_corpus import build_corpus
from genolm.training.corpus.corpus import Corpus
from genolm.training.corpus.corpus_recipe import CorpusRecipe
from genolm.training.corpus.inspect_corpus import inspect_corpus
from genolm.training.corpus.loading import load_corpus
from genolm.training.corpus.order import RowOrder
from genolm.training.corpus.split_documents import DocumentSpan, DocumentSpans

__all__ = [
    "Corpus",
    "CorpusRecipe",
    "DocumentSpan",
    "DocumentSpans",
    "RowOrder",
    "build_corpus",
    "inspect_corpus",
    "load_corpus",
]
