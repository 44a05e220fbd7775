"""Rows of a split in an order that only seed and epoch decide, for any number of workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.corpus.documents import complement_table
from genolm.training.corpus.epoch_pieces import Pieces, cut_epoch
from genolm.training.corpus.haplotypes import Haplotypes
from genolm.training.corpus.split_documents import DocumentSpan, DocumentSpans

Ids = NDArray[np.uint8]


class Rows(NamedTuple):
    """One batch of a training step, or one worker's rows of it.

    Attributes:
        ids_RL: token ids, (rows, context + 1); padded at the end.
        documents_RL: document of every token, -1 for padding and separators; None when each row of the whole batch
            is one document.
        labels_RL: of hidden tokens, what they are, below 0 elsewhere; None where nothing is hidden.
        lengths_R: tokens of each row without padding; None where rows have none, or say it by their documents.
    """

    ids_RL: NDArray[Any]
    documents_RL: NDArray[np.int32] | None
    labels_RL: NDArray[np.int32] | None = None
    lengths_R: NDArray[np.int64] | None = None

    def select(self, rows: slice) -> Rows:
        """Some of the rows."""
        documents = None if self.documents_RL is None else self.documents_RL[rows]
        labels = None if self.labels_RL is None else self.labels_RL[rows]
        lengths = None if self.lengths_R is None else self.lengths_R[rows]
        return Rows(self.ids_RL[rows], documents, labels, lengths)


@dataclass(frozen=True, slots=True)
class _Epoch:
    """One epoch, cut and shuffled.

    Pieces as long as a row are rows. Shorter ones lie end to end in a stream, a separator behind each, of which every
    further row is a stretch.

    Attributes:
        pieces: all pieces; first those that are rows.
        whole: how many those are.
        begin_S: place in the stream of each shorter piece.
        batches_BR: rows of every batch.
        haplotype_P: haplotype that each piece is read as, -1 for none; None where there are no haplotypes.
    """

    pieces: Pieces
    whole: int
    begin_S: NDArray[np.int64]
    batches_BR: NDArray[np.int64]
    haplotype_P: NDArray[np.int32] | None


class RowOrder:
    """Rows of a split without end: every epoch cuts at new phases, draws strands anew and shuffles.

    Batch number ``step`` is a function of the seed alone, so that the data cursor of a run is its step, and workers
    that each take their share of a batch see together what one would see alone.

    A batch holds rows of one document each, or of several, so that few batches need a mask; at most one batch of an
    epoch holds both. Fewer than ``batch_rows`` rows of an epoch are left over.

    Args:
        runs: where rows are cut from; `DocumentSpans` also say how sources are mixed and which strands are read.
        context: tokens a row predicts from; a row holds one more.
        batch_rows: rows of a batch.
        seed: of phases, strands and order.
        tokenizer: for the complement, the separator and the padding.
        haplotypes: individuals whose alleles pieces are read with, one drawn for each in every epoch.
    """

    def __init__(
        self,
        documents: Sequence[DocumentSpan],
        context: int,
        batch_rows: int,
        seed: int,
        tokenizer: NucleotideTokenizer,
        haplotypes: Haplotypes | None = None,
    ) -> None:
        self._haplotypes = haplotypes
        self._documents, self._length, self._batch_rows, self._seed = (
            DocumentSpans.of(documents),
            context + 1,
            batch_rows,
            seed,
        )
        self._eod, self._pad = tokenizer.eod_id, tokenizer.pad_id
        self._complement = complement_table(tokenizer).tobytes()
        if not (self._documents.length_N > 1).any():
            raise ValueError("no run of two tokens to cut rows from")
        self._first_steps = [0]
        self._current: tuple[int, _Epoch] | None = None

    def batch(self, step: int, rank: int = 0, world: int = 1) -> Rows:
        """The rows of one step, counted from 0; of ``world`` workers, worker ``rank`` gets rows ``rank::world``.

        Raises:
            ValueError: for a negative step, or a rank outside the world.
        """
        if step < 0 or not 0 <= rank < world:
            raise ValueError(f"no step {step} of worker {rank} of {world}")
        epoch = int(np.searchsorted(self._first_steps, step, side="right")) - 1
        while step >= self._first_steps[epoch] + self.epoch_batches(epoch):
            epoch += 1
        cut = self._epoch(epoch)
        rows = cut.batches_BR[step - self._first_steps[epoch]]
        return self._rows(cut, rows[rank::world], packed=bool((rows >= cut.whole).any()))

    def epoch_batches(self, epoch: int) -> int:
        """Batches of an epoch; it varies by one or two with the phases."""
        if epoch + 1 == len(self._first_steps):
            self._first_steps.append(self._first_steps[epoch] + len(self._epoch(epoch).batches_BR))
        while epoch + 1 >= len(self._first_steps):
            self.epoch_batches(len(self._first_steps) - 1)
        return self._first_steps[epoch + 1] - self._first_steps[epoch]

    def _epoch(self, epoch: int) -> _Epoch:
        if self._current is None or self._current[0] != epoch:
            self._current = None  # two epochs at once would cost twice the memory
            self._current = (epoch, self._cut(np.random.default_rng((self._seed, epoch))))
        return self._current[1]

    def _cut(self, random: np.random.Generator) -> _Epoch:
        pieces = cut_epoch(self._documents, self._length, random)
        pieces = pieces.select(random.permutation(len(pieces)))
        is_row = pieces.length_P == self._length
        pieces = pieces.select(np.concatenate([np.flatnonzero(is_row), np.flatnonzero(~is_row)]))
        whole = int(is_row.sum())
        ends = np.cumsum(pieces.length_P[whole:] + 1)
        begins = ends - pieces.length_P[whole:] - 1
        packed = -(-(int(ends[-1]) - 1) // self._length) if len(ends) else 0
        batches = self._batches(whole, packed, random)
        # Drawn last, so that rows of a corpus without haplotypes stay as they are.
        haplotypes = None if self._haplotypes is None else self._haplotypes.sample(len(pieces), random)
        return _Epoch(pieces, whole, begins, batches, haplotypes)

    def _batches(self, whole: int, packed: int, random: np.random.Generator) -> NDArray[np.int64]:
        """Full batches of each kind, then one kind after the other out of what is left."""
        size, rows = self._batch_rows, np.arange(whole + packed)
        parts, left = (rows[:whole], rows[whole:]), []
        full = []
        for part in parts:
            cut = len(part) // size * size
            full.append(part[:cut])
            left.append(part[cut:])
        rest = np.concatenate(left)
        rows = np.concatenate([*full, rest[: len(rest) // size * size]])
        if not len(rows):  # fewer rows than a batch: the epoch is one small batch
            return rest[None]
        batches = rows.reshape(-1, size)
        return batches[random.permutation(len(batches))]

    def _rows(self, epoch: _Epoch, rows: NDArray[np.int64], packed: bool) -> Rows:
        ids = np.full((len(rows), self._length), self._pad, np.uint8)
        documents = np.full((len(rows), self._length), -1, np.int32) if packed else None
        for r, row in enumerate(rows.tolist()):
            if row >= epoch.whole:
                assert documents is not None
                self._pack(epoch, row - epoch.whole, ids[r], documents[r])
                continue
            self._read(epoch, row, 0, self._length, ids[r])
            if documents is not None:
                documents[r] = 0
        return Rows(ids, documents)

    def _pack(self, epoch: _Epoch, row: int, ids_L: Ids, documents_L: NDArray[np.int32]) -> None:
        """A stretch of the stream of short pieces: the first and the last may be cut by its ends."""
        start, stop = row * self._length, (row + 1) * self._length
        first = int(np.searchsorted(epoch.begin_S, start, side="right")) - 1
        last = int(np.searchsorted(epoch.begin_S, stop, side="left"))
        for number, piece in enumerate(range(first, last)):
            begin = int(epoch.begin_S[piece])
            end = begin + int(epoch.pieces.length_P[epoch.whole + piece])
            left, right = max(begin, start), min(end, stop)
            if left < right:
                into = slice(left - start, right - start)
                self._read(epoch, epoch.whole + piece, left - begin, right - begin, ids_L[into])
                documents_L[into] = number
            if start <= end < stop and piece + 1 < len(epoch.begin_S):
                ids_L[end - start] = self._eod

    def _read(self, epoch: _Epoch, piece: int, start: int, stop: int, out_L: Ids) -> None:
        """Bases ``[start, stop)`` of a piece as its strand reads."""
        pieces = epoch.pieces
        number, offset = int(pieces.buffer_P[piece]), int(pieces.offset_P[piece])
        reverse = bool(pieces.reverse_P[piece])
        end = offset + int(pieces.length_P[piece])
        first, last = (end - stop, end - start) if reverse else (offset + start, offset + stop)
        ids_L = self._documents.buffers[number][first:last]
        if self._haplotypes is not None and epoch.haplotype_P is not None and epoch.haplotype_P[piece] >= 0:
            ids_L = self._haplotypes.read(number, first, ids_L, int(epoch.haplotype_P[piece]))
        if not reverse:
            out_L[:] = ids_L
            return
        letters = ids_L[::-1].tobytes()
        out_L[:] = np.frombuffer(letters.translate(self._complement), np.uint8)  # ten times as fast as indexing
