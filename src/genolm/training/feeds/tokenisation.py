"""Tokenisation of a run: row layout for each context, and token frequencies."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.tokens.tokenizer import Tokenizer
from genolm.training.corpus.order import RowOrder
from genolm.training.corpus.split_documents import DocumentSpans
from genolm.training.feeds.token_rows import CausalRows, MaskedRows, RowTokenizer, TokenRows
from genolm.training.objectives.masking import MaskingRecipe
from genolm.training.objectives.next_token import target_bases, target_tokens

_SAMPLE = (256, 4096)  # number and bases of the rows in which tokens are counted


class Tokenisation:
    """Tokens of a run.

    The plain case is next-token prediction with one base per token: rows of bases are rows of tokens.

    Args:
        tokenizer: tokenizer of the model.
        corpus: tokenizer of the corpus, one id per base.
        train: training split; tokens are counted in a sample of it.
        masking: masking of rows; None to predict next tokens.
        rows: rows of the model's embedding.
        seed: seed of the sample.

    Attributes:
        tokenizer: tokenizer of the model.
        plain: whether this is the plain case.
        bases_per_token: mean bases of a token in training sequence.
        counts_V: number of occurrences of each token in the sample; None in the plain case.
        targets_V: True for token ids that are targets.
        bases_V: bases of each target token; None in the plain case.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        corpus: NucleotideTokenizer,
        train: DocumentSpans,
        *,
        masking: MaskingRecipe | None,
        rows: int,
        seed: int,
    ) -> None:
        self.tokenizer, self._corpus, self._masking = tokenizer, corpus, masking
        self.plain = masking is None and isinstance(tokenizer, NucleotideTokenizer)
        self.counts_V: NDArray[np.int64] | None = None
        self.bases_per_token = 1.0
        self.targets_V = torch.from_numpy(target_tokens(tokenizer))
        self.bases_V: Tensor | None = None
        if not self.plain:
            self.bases_V = torch.from_numpy(target_bases(tokenizer, rows))
            self._count(train, seed)

    @property
    def special_tokens(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names of the special tokens before and after each piece of sequence."""
        layout = CausalRows if self._masking is None else MaskedRows
        return ((), ()) if self.plain else (layout.begin, layout.end)

    def rows(self, context: int) -> TokenRows | None:
        """Return the layout of rows of tokens; None in the plain case."""
        if self.plain:
            return None
        if self._masking is None:
            return CausalRows(self._corpus, self.tokenizer, context)
        return MaskedRows(self._corpus, self.tokenizer, context, self._masking)

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

    def _count(self, train: DocumentSpans, seed: int) -> None:
        rows, bases = _SAMPLE
        sample = RowOrder(train, bases - 1, rows, seed, self._corpus).batch(0)
        rows_of_pieces = RowTokenizer(self._corpus, self.tokenizer).pieces(sample._replace(places=None))
        tokens = np.concatenate([piece.tokens for pieces in rows_of_pieces for piece in pieces])
        self.counts_V = np.bincount(tokens, minlength=self.tokenizer.vocab_size)
        read = sample.ids_RL.size if sample.documents_RL is None else int((sample.documents_RL >= 0).sum())
        self.bases_per_token = read / len(tokens)
