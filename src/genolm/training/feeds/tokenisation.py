"""Tokenisation of a run: vocabulary, row layout for each context, and token frequencies."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genolm.errors import InputError, ModelError
from genolm.tokens.bpe import BpeTokenizer
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.tokens.published import PUBLISHED, published
from genolm.tokens.tokenizer import Tokenizer
from genolm.training.corpus.corpus_manifest import Manifest
from genolm.training.corpus.corpus_recipe import CorpusRecipe
from genolm.training.corpus.order import RowOrder, Rows
from genolm.training.corpus.split_documents import DocumentSpans
from genolm.training.feeds.token_rows import CausalRows, MaskedRows, RowTokenizer, TokenRows, row_layout
from genolm.training.objectives.masking import MaskingRecipe
from genolm.training.objectives.next_token import target_bases, target_tokens
from genolm.training.recipes.pretrain_recipe import Recipe

_SAMPLE = (256, 4096)  # number and bases of the rows in which tokens are counted


class Tokenisation:
    """Tokens of a run.

    The plain case is next-token prediction with one base per token: rows of bases are rows of tokens.

    Args:
        recipe: recipe of the run.
        corpus: tokenizer of the corpus, one id per base.
        train: training split; tokens are counted in a sample of it.

    Attributes:
        tokenizer: tokenizer of the model.
        plain: whether this is the plain case.
        bases_per_token: mean bases of a token in training sequence.
        counts_V: number of occurrences of each token in the sample; None in the plain case.
        targets_V: True for token ids that are targets.
        bases_V: bases of each target token; None in the plain case.

    Raises:
        InputError: the vocabulary does not exist or does not fit the model.
    """

    def __init__(self, recipe: Recipe, corpus: NucleotideTokenizer, train: DocumentSpans) -> None:
        self._recipe, self._corpus = recipe, corpus
        self.tokenizer = read_tokenizer(recipe, corpus)
        _check_vocabulary(recipe, self.tokenizer)
        self.plain = row_layout(recipe) is None
        self.counts_V: NDArray[np.int64] | None = None
        self.bases_per_token = 1.0
        self.targets_V = torch.from_numpy(target_tokens(self.tokenizer))
        self.bases_V: Tensor | None = None
        if not self.plain:
            self.bases_V = torch.from_numpy(target_bases(self.tokenizer, recipe.model.vocab_size))
            self._count(train)

    def rows(self, context: int) -> TokenRows | None:
        """Return the layout of rows of tokens; None in the plain case."""
        if self.plain:
            return None
        if row_layout(self._recipe) is CausalRows:
            return CausalRows(self._corpus, self.tokenizer, context)
        masking = self._recipe.masking or MaskingRecipe()
        return MaskedRows(self._corpus, self.tokenizer, context, masking)

    def row_bases(self, context: int) -> int:
        """Return the bases of a row that the corpus supplies."""
        rows = self.rows(context)
        return context + 1 if rows is None else rows.row_bases(self.bases_per_token)

    def frequencies(self) -> NDArray[np.float64]:
        """Return the frequency of each target token in training sequence, with a pseudocount of one, (V,)."""
        assert self.counts_V is not None
        counts_V = np.where(target_tokens(self.tokenizer), self.counts_V + 1, 0)
        shares_V: NDArray[np.float64] = counts_V / counts_V.sum()
        return shares_V

    def _count(self, train: DocumentSpans) -> None:
        rows, bases = _SAMPLE
        sample: Rows = RowOrder(train, bases - 1, rows, self._recipe.seed, self._corpus).batch(0)
        pieces = [piece for pieces in RowTokenizer(self._corpus, self.tokenizer).pieces(sample) for piece in pieces]
        tokens = np.concatenate(pieces)
        self.counts_V = np.bincount(tokens, minlength=self.tokenizer.vocab_size)
        read = sample.ids_RL.size if sample.documents_RL is None else int((sample.documents_RL >= 0).sum())
        self.bases_per_token = read / len(tokens)


def read_tokenizer(recipe: Recipe, corpus: NucleotideTokenizer) -> Tokenizer:
    """Return the tokenizer that a recipe names, or that of the corpus if it names none.

    Raises:
        InputError: the folder or file does not exist or is not a byte-pair vocabulary.
    """
    if not recipe.tokenizer:
        return corpus
    path = Path(os.path.expandvars(recipe.tokenizer))
    if recipe.tokenizer in PUBLISHED:
        return published(recipe.tokenizer)
    if not path.exists():
        message = f"the recipe's tokenizer does not exist, and is not one of the published {', '.join(PUBLISHED)}"
        raise InputError(message, file=path)
    try:
        return BpeTokenizer.read(path)
    except ModelError as error:
        raise InputError(f"the recipe's tokenizer: {error}") from None


def _check_vocabulary(recipe: Recipe, tokenizer: Tokenizer) -> None:
    model = recipe.model
    rows = getattr(model, "tokens", model.vocab_size)
    if tokenizer.vocab_size > rows:
        raise InputError(
            f"the vocabulary has {tokenizer.vocab_size:,} tokens, but the model's embedding has fewer rows", value=rows
        )
    kept = _longest_n_run(recipe.corpus)
    if kept and tokenizer.n_id < 0:
        raise InputError("longest_n_run keeps N in the corpus, but the vocabulary has no N", value=kept)
    if recipe.tokenizer and model.pad_id != tokenizer.pad_id:
        raise InputError(f"the model's pad_id must be that of its vocabulary, {tokenizer.pad_id}", value=model.pad_id)


def _longest_n_run(corpus: CorpusRecipe) -> int:
    if corpus.built:
        return int(Manifest.read_from(Path(corpus.built)).options["longest_n_run"])
    return corpus.longest_n_run
