"""How a run turns bases into the tokens of its model: vocabulary, rows of each context, and what is counted."""

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

_SAMPLE = (256, 4096)  # rows and bases of each, on which tokens are counted


class Tokenisation:
    """The tokens of a run.

    One base a token and predicting the next one is the plain case: rows of bases are rows of tokens.

    Args:
        recipe: of the run.
        corpus: tokenizer of the corpus, one id a base.
        train: the training split; tokens are counted on some of it.

    Attributes:
        tokenizer: of the model.
        plain: whether it is the plain case.
        bases_per_token: mean length of a token in training sequence.
        counts_V: how often each token was met there; None in the plain case.
        targets_V: which token ids are targets.
        bases_V: bases of each target; None where a target is always one.

    Raises:
        InputError: no such vocabulary, or one that the model does not fit.
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
        """How rows of tokens are laid; None in the plain case."""
        if self.plain:
            return None
        if row_layout(self._recipe) is CausalRows:
            return CausalRows(self._corpus, self.tokenizer, context)
        masking = self._recipe.masking or MaskingRecipe()
        return MaskedRows(self._corpus, self.tokenizer, context, masking)

    def row_bases(self, context: int) -> int:
        """Bases of one row of the corpus's order."""
        rows = self.rows(context)
        return context + 1 if rows is None else rows.row_bases(self.bases_per_token)

    def frequencies(self) -> NDArray[np.float64]:
        """Share of each target among the training targets, each counted once more than it was met; (V,)."""
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
    """The tokenizer that a recipe names; the corpus's where it names none.

    Raises:
        InputError: no such folder or file, or none of a byte-pair vocabulary.
    """
    if not recipe.tokenizer:
        return corpus
    path = Path(os.path.expandvars(recipe.tokenizer))
    if recipe.tokenizer in PUBLISHED:
        return published(recipe.tokenizer)
    if not path.exists():
        message = f"the recipe's tokenizer is not there, and it is none of the published {', '.join(PUBLISHED)}"
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
            f"the vocabulary has {tokenizer.vocab_size:,} tokens and the model's embedding fewer rows", value=rows
        )
    kept = _longest_n_run(recipe.corpus)
    if kept and tokenizer.n_id < 0:
        raise InputError("longest_n_run keeps N in the corpus, and the vocabulary has no letter for it", value=kept)
    if recipe.tokenizer and model.pad_id != tokenizer.pad_id:
        raise InputError(f"the model's pad_id is not that of its vocabulary, {tokenizer.pad_id}", value=model.pad_id)


def _longest_n_run(corpus: CorpusRecipe) -> int:
    if corpus.built:
        return int(Manifest.read_from(Path(corpus.built)).options["longest_n_run"])
    return corpus.longest_n_run
