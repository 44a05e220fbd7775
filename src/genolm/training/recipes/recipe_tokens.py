"""Tokens of a pretraining recipe: its vocabulary, and how it fits the model and the corpus."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from genolm.errors import InputError, ModelError
from genolm.tokens.bpe import BpeTokenizer
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.tokens.published import PUBLISHED, published
from genolm.tokens.tokenizer import Tokenizer
from genolm.training.corpus.corpus_manifest import Manifest
from genolm.training.corpus.corpus_recipe import CorpusRecipe
from genolm.training.corpus.split_documents import DocumentSpans
from genolm.training.feeds.tokenisation import Tokenisation
from genolm.training.objectives.masking import MaskingRecipe
from genolm.training.recipes.pretrain_recipe import Recipe
from genolm.training.recipes.start_model import StartModel


def corpus_tokenizer(start: StartModel | None) -> NucleotideTokenizer:
    """Return the tokenizer of the corpus, with one id per base: that of a start with one base per token."""
    known = None if start is None else start.model.tokenizer
    return replace(known if isinstance(known, NucleotideTokenizer) else NucleotideTokenizer(), iupac="N")


def tokenisation_of(
    recipe: Recipe, corpus: NucleotideTokenizer, train: DocumentSpans, start: StartModel | None = None
) -> Tokenisation:
    """Return the tokenisation of a recipe.

    Args:
        recipe: recipe of the run.
        corpus: tokenizer of the corpus, one id per base.
        train: training split.
        start: model that the run starts from.

    Raises:
        InputError: the vocabulary does not exist or does not fit the model.
    """
    known = None if start is None else start.model.tokenizer
    # A start with one base per token has the tokenizer of the corpus.
    tokenizer = read_tokenizer(recipe, corpus) if known is None or isinstance(known, NucleotideTokenizer) else known
    _check_vocabulary(recipe, tokenizer)
    masking = (recipe.masking or MaskingRecipe()) if recipe.objective == "masked" else None
    return Tokenisation(tokenizer, corpus, train, masking=masking, rows=recipe.model.vocab_size, seed=recipe.seed)


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
