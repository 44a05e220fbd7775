"""Rows of tokens from rows of bases: tokenisation on the strand of each row, special tokens, and masking.

Every base of a row of bases is in exactly one row of tokens: tokens that do not fit continue in another row.

Shapes: R rows, L bases of a row, M tokens of a row.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.tokens.tokenizer import CLS, SEP, Tokenizer
from genolm.training.objectives.masking import IGNORED, Masking, MaskingRecipe, row_lengths
from genolm.training.rows import Rows

Tokens = NDArray[np.int32]
Seeds = Iterable[tuple[int, ...]]

FILLED = 0.95
"""Mean fraction of a row that its piece of bases fills: token lengths vary, and a row should rarely be split."""


class TokenRows(Protocol):
    """Layout of tokenised pieces in rows.

    Attributes:
        begin: names of the special tokens before a piece.
        end: names of those after it.
    """

    begin: ClassVar[tuple[str, ...]]
    end: ClassVar[tuple[str, ...]]

    def training(self, rows: Rows, seeds: Seeds) -> Rows:
        """Convert rows of bases into rows of tokens; ``seeds`` has one seed per row of bases."""
        ...

    def held_out(self, windows_NL: NDArray[np.uint8], seeds: Seeds) -> Rows:
        """Convert each window of bases into one row; tokens beyond its end are dropped."""
        ...

    def row_bases(self, bases_per_token: float) -> int:
        """Return the bases of a piece that fill a row, with a margin."""
        ...


class RowTokenizer:
    """Tokenizer of rows of bases.

    Args:
        corpus: tokenizer of the rows, one id per base.
        tokenizer: tokenizer of the model.
    """

    def __init__(self, corpus: NucleotideTokenizer, tokenizer: Tokenizer) -> None:
        self._encode = tokenizer.encode
        letters = {number: symbol for symbol, number in corpus.symbols.items() if len(symbol) == 1}
        self._letters = bytes(ord(letters.get(number, "?")) for number in range(256))

    def tokens(self, ids_L: NDArray[np.uint8]) -> Tokens:
        """Return the tokens of a stretch of bases."""
        return np.asarray(self._encode(ids_L.tobytes().translate(self._letters).decode("ascii")), np.int32)

    def pieces(self, rows: Rows) -> Iterator[list[Tokens]]:
        """Yield, for each row, the tokens of its documents."""
        for row, ids_L in enumerate(rows.ids_RL):
            if rows.documents_RL is None:
                yield [self.tokens(ids_L)]
            else:
                documents_L = rows.documents_RL[row]
                borders = np.flatnonzero(np.diff(documents_L)) + 1
                stretches = np.split(np.arange(len(ids_L)), borders)
                yield [self.tokens(ids_L[indices]) for indices in stretches if documents_L[indices[0]] >= 0]


class CausalRows:
    """Rows for next-token prediction: ``[CLS]`` and the tokens of a piece; a further piece follows after a ``[SEP]``.

    Every piece starts a row. Tokens that do not fit continue in further rows, which they share; each continuation
    begins with a ``[CLS]``.

    Args:
        corpus: tokenizer of the rows of bases.
        tokenizer: tokenizer of the model.
        context: tokens that a row predicts from; a row has one more.
    """

    begin: ClassVar[tuple[str, ...]] = (CLS,)
    end: ClassVar[tuple[str, ...]] = ()

    def __init__(self, corpus: NucleotideTokenizer, tokenizer: Tokenizer, context: int) -> None:
        self._tokens, self._length = RowTokenizer(corpus, tokenizer), context + 1
        self._begin = np.array([tokenizer.special_id(CLS)], np.int32)
        self._end = np.array([tokenizer.special_id(SEP)], np.int32)
        self._pad = tokenizer.pad_id

    def row_bases(self, bases_per_token: float) -> int:
        """Return the bases of a piece that fill a row, with a margin."""
        return _row_bases(self._length - 1, bases_per_token)

    def training(self, rows: Rows, seeds: Seeds) -> Rows:
        """Convert rows of bases into rows of tokens; the seeds are not used."""
        overflow: list[Tokens] = []
        layout = [self._fill(pieces, overflow) for pieces in self._tokens.pieces(rows)]
        while overflow:
            pieces, overflow = overflow, []
            layout.append(self._fill(pieces, overflow))
        return self._rows(layout)

    def held_out(self, windows_NL: NDArray[np.uint8], seeds: Seeds) -> Rows:
        """Convert each window of bases into one row; tokens beyond its end are dropped."""
        return self._rows([self._fill([self._tokens.tokens(window)], []) for window in windows_NL])

    def _fill(self, pieces: Sequence[Tokens], overflow: list[Tokens]) -> list[Tokens]:
        """Return the documents of one row; tokens that do not fit are added to ``overflow``."""
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
            position = 0
            for number, tokens in enumerate(documents):
                ids_RM[row, position : position + len(tokens)] = tokens
                documents_RM[row, position : position + len(tokens)] = number
                position += len(tokens)
                if number + 1 < len(documents):
                    ids_RM[row, position : position + len(self._end)] = self._end
                    position += len(self._end)
        lengths_R = (documents_RM >= 0).sum(1)
        packed = any(len(documents) > 1 for documents in layout)
        return Rows(ids_RM, documents_RM if packed else None, lengths_R=lengths_R)


class MaskedRows:
    """Rows for masked-language modelling: ``[CLS]``, tokens of one document, ``[SEP]``, some of them masked.

    Args:
        corpus: tokenizer of the rows of bases.
        tokenizer: tokenizer of the model.
        context: maximum tokens of a row, special tokens included.
        recipe: masking, and the distribution of row lengths.
    """

    begin: ClassVar[tuple[str, ...]] = (CLS,)
    end: ClassVar[tuple[str, ...]] = (SEP,)

    def __init__(self, corpus: NucleotideTokenizer, tokenizer: Tokenizer, context: int, recipe: MaskingRecipe) -> None:
        self._tokens, self._recipe = RowTokenizer(corpus, tokenizer), recipe
        self._begin, self._end = (np.array([tokenizer.special_id(name)], np.int32) for name in (CLS, SEP))
        self._body = context - 2
        self._pad, self._masking = tokenizer.pad_id, Masking(recipe, tokenizer)

    def row_bases(self, bases_per_token: float) -> int:
        """Return the bases of a piece that fill a row, with a margin."""
        return _row_bases(self._body, bases_per_token)

    def training(self, rows: Rows, seeds: Seeds) -> Rows:
        """Convert rows of bases into rows of tokens; lengths and masks follow from each row's seed."""
        masked = []
        for pieces, seed in zip(self._tokens.pieces(rows), seeds, strict=True):
            random = np.random.default_rng(seed)
            for piece in pieces:
                lengths = row_lengths(len(piece), self._body, self._recipe, random)
                for part in np.split(piece, np.cumsum(lengths)[:-1]):
                    masked.append(self._masking.mask(self._with_special_tokens(part), random))
        return self._rows(masked)

    def held_out(self, windows_NL: NDArray[np.uint8], seeds: Seeds) -> Rows:
        """Convert each window of bases into one row, masked by its seed; tokens beyond its end are dropped."""
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
