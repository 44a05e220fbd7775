"""Rows of tokens from rows of bases: tokenisation on the strand of each row, special tokens, and masking.

Every base of a row of bases is in exactly one row of tokens: tokens that do not fit continue in another row.

Shapes: R rows, L bases of a row, M tokens of a row.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.tokens.tokenizer import CLS, SEP, Tokenizer
from genolm.training.objectives.masking import IGNORED, Masking, MaskingRecipe, row_lengths
from genolm.training.rows import Places, Rows

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


class Piece(NamedTuple):
    """Tokens of a document.

    Attributes:
        tokens: its tokens.
        contig: index of its contig; -1 if its place is unknown.
        start: its first base on the contig.
        end: one past its last base.
        reverse: whether it is read on the reverse strand.
        read_T: number of its bases that have been read at the end of each token; None if its place is unknown.
    """

    tokens: Tokens
    contig: int = -1
    start: int = 0
    end: int = 0
    reverse: bool = False
    read_T: NDArray[np.int64] | None = None

    def part(self, first: int, last: int) -> Piece:
        """Return the tokens ``[first, last)`` as a piece."""
        tokens = self.tokens[first:last]
        if self.read_T is None:
            return self._replace(tokens=tokens)
        before, after = (int(self.read_T[index - 1]) if index else 0 for index in (first, last))
        start = self.end - after if self.reverse else self.start + before
        return Piece(tokens, self.contig, start, start + after - before, self.reverse, self.read_T[first:last] - before)


def places_of(contigs: tuple[str, ...] | None, layout: Sequence[Sequence[Piece]]) -> Places | None:
    """Return the places of the pieces of each row; None if they are unknown."""
    if contigs is None:
        return None
    listed = [(row, number, *piece[1:5]) for row, pieces in enumerate(layout) for number, piece in enumerate(pieces)]
    return Places.of(contigs, listed)


class RowTokenizer:
    """Tokenizer of rows of bases.

    Args:
        corpus: tokenizer of the rows, one id per base.
        tokenizer: tokenizer of the model.
    """

    def __init__(self, corpus: NucleotideTokenizer, tokenizer: Tokenizer) -> None:
        self._tokenizer, self._encode = tokenizer, tokenizer.encode
        letters = {number: symbol for symbol, number in corpus.symbols.items() if len(symbol) == 1}
        self._letters = bytes(ord(letters.get(number, "?")) for number in range(256))

    def tokens(self, ids_L: NDArray[np.uint8]) -> Tokens:
        """Return the tokens of a stretch of bases."""
        return np.asarray(self._encode(self._text(ids_L)), np.int32)

    def pieces(self, rows: Rows) -> Iterator[list[Piece]]:
        """Yield, for each row, the tokens of its documents, with their places if the rows have them."""
        table = () if rows.places is None else rows.places.table_P.tolist()
        places = {(row, document): place for row, document, *place in table}
        for row, ids_L in enumerate(rows.ids_RL):
            if rows.documents_RL is None:
                yield [self._piece(ids_L, places.get((row, 0)))]
            else:
                documents_L = rows.documents_RL[row]
                borders = np.flatnonzero(np.diff(documents_L)) + 1
                stretches = np.split(np.arange(len(ids_L)), borders)
                numbered = [(int(documents_L[indices[0]]), indices) for indices in stretches]
                yield [self._piece(ids_L[i], places.get((row, number))) for number, i in numbered if number >= 0]

    def _piece(self, ids_L: NDArray[np.uint8], place: Sequence[Any] | None) -> Piece:
        tokens = self.tokens(ids_L)
        if place is None:
            return Piece(tokens)
        lengths_T = self._tokenizer.lengths[tokens]
        # A token for a run of N may have any length.
        known = bool((lengths_T > 0).all())
        read_T = np.cumsum(lengths_T) if known else self._tokenizer.spans(self._text(ids_L))[:, 1]
        contig, start, end, reverse = place
        return Piece(tokens, contig, start, end, reverse, read_T)

    def _text(self, ids_L: NDArray[np.uint8]) -> str:
        return ids_L.tobytes().translate(self._letters).decode("ascii")


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
        overflow: list[Piece] = []
        layout = [self._fill(pieces, overflow) for pieces in self._tokens.pieces(rows)]
        while overflow:
            pieces, overflow = overflow, []
            layout.append(self._fill(pieces, overflow))
        return self._rows(layout)._replace(places=places_of(_contigs(rows), layout))

    def held_out(self, windows_NL: NDArray[np.uint8], seeds: Seeds) -> Rows:
        """Convert each window of bases into one row; tokens beyond its end are dropped."""
        return self._rows([self._fill([Piece(self._tokens.tokens(window))], []) for window in windows_NL])

    def _fill(self, pieces: Sequence[Piece], overflow: list[Piece]) -> list[Piece]:
        """Return the documents of one row; tokens that do not fit are added to ``overflow``."""
        documents: list[Piece] = []
        space = self._length
        for number, piece in enumerate(pieces):
            length = len(piece.tokens)
            fits = min(length, space - len(self._begin))
            if fits < 1:
                overflow.extend(pieces[number:])
                break
            part = piece.part(0, fits)
            documents.append(part._replace(tokens=np.concatenate([self._begin, part.tokens])))
            space -= len(self._begin) + fits + len(self._end)
            if fits < length:
                overflow.append(piece.part(fits, length))
        return documents

    def _rows(self, layout: Sequence[Sequence[Piece]]) -> Rows:
        ids_RM = np.full((len(layout), self._length), self._pad, np.int32)
        documents_RM = np.full((len(layout), self._length), -1, np.int32)
        for row, documents in enumerate(layout):
            position = 0
            for number, tokens in enumerate(document.tokens for document in documents):
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
        masked, layout = [], []
        for pieces, seed in zip(self._tokens.pieces(rows), seeds, strict=True):
            random = np.random.default_rng(seed)
            for piece in pieces:
                ends = np.cumsum([0, *row_lengths(len(piece.tokens), self._body, self._recipe, random)]).tolist()
                for first, last in itertools.pairwise(ends):
                    part = piece.part(first, last)
                    masked.append(self._masking.mask(self._with_special_tokens(part.tokens), random))
                    layout.append([part])
        return self._rows(masked)._replace(places=places_of(_contigs(rows), layout))

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


def _contigs(rows: Rows) -> tuple[str, ...] | None:
    return None if rows.places is None else rows.places.contigs


def _row_bases(tokens: int, bases_per_token: float) -> int:
    return max(2, math.floor(FILLED * tokens * bases_per_token)) if bases_per_token > 1 else tokens
