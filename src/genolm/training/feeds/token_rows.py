"""Rows of tokens out of rows of bases: decoded, tokenised on their strand, framed, and hidden where that is asked for.

Every base of a row of bases stands in exactly one row of tokens: what does not fit goes on in a further row.

Shapes: R rows, L bases of a row, M tokens of a row.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.tokens.tokenizer import CLS, SEP, Tokenizer
from genolm.training.corpus.order import Rows
from genolm.training.objectives.masking import IGNORED, Masking, MaskingRecipe, row_lengths
from genolm.training.recipes.pretrain_recipe import Recipe

Tokens = NDArray[np.int32]
Seeds = Iterable[tuple[int, ...]]

FILLED = 0.95
"""Share of a row that its piece of bases fills on average: token borders move, and a row is seldom cut in two."""


class TokenRows(Protocol):
    """How tokenised pieces are laid into rows."""

    def training(self, rows: Rows, seeds: Seeds) -> Rows:
        """Rows of tokens of rows of bases; ``seeds`` has one seed for each of those."""
        ...

    def held_out(self, windows_NL: NDArray[np.uint8], seeds: Seeds) -> Rows:
        """One row for each window of bases; what is beyond it is left out."""
        ...

    def row_bases(self, bases_per_token: float) -> int:
        """Bases of a piece that fill a row up to a margin."""
        ...


def row_layout(recipe: Recipe) -> type[CausalRows] | type[MaskedRows] | None:
    """The kind of rows that a recipe trains on; None where rows of bases are rows of tokens."""
    if recipe.objective == "masked":
        return MaskedRows
    return CausalRows if recipe.tokenizer else None


class RowTokenizer:
    """Rows of bases as token ids.

    Args:
        corpus: tokenizer of the rows, one id a base.
        tokenizer: of the model.
    """

    def __init__(self, corpus: NucleotideTokenizer, tokenizer: Tokenizer) -> None:
        self._encode = tokenizer.encode
        letters = {number: symbol for symbol, number in corpus.symbols.items() if len(symbol) == 1}
        self._letters = bytes(ord(letters.get(number, "?")) for number in range(256))

    def tokens(self, ids_L: NDArray[np.uint8]) -> Tokens:
        """Tokens of one stretch of bases."""
        return np.asarray(self._encode(ids_L.tobytes().translate(self._letters).decode("ascii")), np.int32)

    def pieces(self, rows: Rows) -> Iterator[list[Tokens]]:
        """Tokens of every document of every row."""
        for row, ids_L in enumerate(rows.ids_RL):
            if rows.documents_RL is None:
                yield [self.tokens(ids_L)]
            else:
                documents_L = rows.documents_RL[row]
                borders = np.flatnonzero(np.diff(documents_L)) + 1
                stretches = np.split(np.arange(len(ids_L)), borders)
                yield [self.tokens(ids_L[indices]) for indices in stretches if documents_L[indices[0]] >= 0]


class CausalRows:
    """Rows for next-token prediction: ``[CLS]`` and the tokens of a piece, and so on behind a ``[SEP]``.

    A piece fills a row of its own. Tokens that a row has no place for go on, after a ``[CLS]`` of their own, in further
    rows that they share.

    Args:
        corpus: tokenizer of the rows of bases.
        tokenizer: of the model.
        context: tokens that a row predicts from; it holds one more.
    """

    begin, end = (CLS,), ()

    def __init__(self, corpus: NucleotideTokenizer, tokenizer: Tokenizer, context: int) -> None:
        self._tokens, self._length = RowTokenizer(corpus, tokenizer), context + 1
        self._begin = np.array([tokenizer.special_id(CLS)], np.int32)
        self._end = np.array([tokenizer.special_id(SEP)], np.int32)
        self._pad = tokenizer.pad_id

    def row_bases(self, bases_per_token: float) -> int:
        """Bases of a piece that fill a row up to a margin."""
        return _row_bases(self._length - 1, bases_per_token)

    def training(self, rows: Rows, seeds: Seeds) -> Rows:
        """Rows of tokens of rows of bases; nothing is drawn."""
        overflow: list[Tokens] = []
        layout = [self._fill(pieces, overflow) for pieces in self._tokens.pieces(rows)]
        while overflow:
            waiting, overflow = overflow, []
            layout.append(self._fill(waiting, overflow))
        return self._rows(layout)

    def held_out(self, windows_NL: NDArray[np.uint8], seeds: Seeds) -> Rows:
        """One row for each window of bases; what is beyond it is left out."""
        return self._rows([self._fill([self._tokens.tokens(window)], []) for window in windows_NL])

    def _fill(self, pieces: Sequence[Tokens], overflow: list[Tokens]) -> list[Tokens]:
        """The documents of one row; what it has no room for is added to ``overflow``."""
        documents: list[Tokens] = []
        space = self._length
        for number, piece in enumerate(pieces):
            fits = min(len(piece), space - len(self._begin))
            if fits < 1:
                overflow.extend(pieces[number:])
                break
            documents.append(np.concatenate([self._begin, piece[:fits]]))
            space -= len(documents[-1]) + len(self._end)
            if fits < len(piece):
                overflow.append(piece[fits:])
        return documents

    def _rows(self, layout: Sequence[Sequence[Tokens]]) -> Rows:
        ids_RM = np.full((len(layout), self._length), self._pad, np.int32)
        documents_RM = np.full((len(layout), self._length), -1, np.int32)
        for row, documents in enumerate(layout):
            at = 0
            for number, tokens in enumerate(documents):
                ids_RM[row, at : at + len(tokens)] = tokens
                documents_RM[row, at : at + len(tokens)] = number
                at += len(tokens)
                if number + 1 < len(documents):
                    ids_RM[row, at : at + len(self._end)] = self._end
                    at += len(self._end)
        lengths_R = (documents_RM >= 0).sum(1)
        several = any(len(documents) > 1 for documents in layout)
        return Rows(ids_RM, documents_RM if several else None, lengths_R=lengths_R)


class MaskedRows:
    """Rows for masked-language modelling: ``[CLS]``, some tokens, ``[SEP]``, hidden by rule; never of two documents.

    Args:
        corpus: tokenizer of the rows of bases.
        tokenizer: of the model.
        context: longest row in tokens, special tokens included.
        recipe: what is hidden, and how many rows are shorter.
    """

    begin, end = (CLS,), (SEP,)

    def __init__(self, corpus: NucleotideTokenizer, tokenizer: Tokenizer, context: int, recipe: MaskingRecipe) -> None:
        self._tokens, self._recipe = RowTokenizer(corpus, tokenizer), recipe
        self._begin, self._end = (np.array([tokenizer.special_id(name)], np.int32) for name in (CLS, SEP))
        self._body = context - 2
        self._pad, self._masking = tokenizer.pad_id, Masking(recipe, tokenizer)

    def row_bases(self, bases_per_token: float) -> int:
        """Bases of a piece that fill a row up to a margin."""
        return _row_bases(self._body, bases_per_token)

    def training(self, rows: Rows, seeds: Seeds) -> Rows:
        """Rows of tokens of rows of bases; lengths and masks of each come from its own seed."""
        masked = []
        for pieces, seed in zip(self._tokens.pieces(rows), seeds, strict=True):
            random = np.random.default_rng(seed)
            for piece in pieces:
                lengths = row_lengths(len(piece), self._body, self._recipe, random)
                for part in np.split(piece, np.cumsum(lengths)[:-1]):
                    masked.append(self._masking.mask(self._with_special_tokens(part), random))
        return self._rows(masked)

    def held_out(self, windows_NL: NDArray[np.uint8], seeds: Seeds) -> Rows:
        """One row for each window of bases, hidden by its own seed; what is beyond the row is left out."""
        masked = []
        for window, seed in zip(windows_NL, seeds, strict=True):
            tokens = self._with_special_tokens(self._tokens.tokens(window)[: self._body])
            masked.append(self._masking.mask(tokens, np.random.default_rng(seed), evaluation=True))
        return self._rows(masked)

    def _with_special_tokens(self, tokens: Tokens) -> Tokens:
        return np.concatenate([self._begin, tokens, self._end])

    def _rows(self, masked: Sequence[tuple[Tokens, Tokens]]) -> Rows:
        longest = max(len(ids) for ids, _ in masked)
        ids_RM = np.full((len(masked), longest), self._pad, np.int32)
        labels_RM = np.full((len(masked), longest), IGNORED, np.int32)
        for row, (ids, labels) in enumerate(masked):
            ids_RM[row, : len(ids)], labels_RM[row, : len(ids)] = ids, labels
        return Rows(ids_RM, None, labels_RM, np.array([len(ids) for ids, _ in masked]))


def _row_bases(tokens: int, bases_per_token: float) -> int:
    return max(2, math.floor(FILLED * tokens * bases_per_token)) if bases_per_token > 1 else tokens
