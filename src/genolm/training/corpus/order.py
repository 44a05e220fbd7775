"""Order of training rows: determined by seed and epoch, for any number of processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.corpus.documents import complement_table
from genolm.training.corpus.epoch_pieces import Pieces, cut_epoch
from genolm.training.corpus.haplotypes import Haplotypes
from genolm.training.corpus.positions import Positions, Stretch
from genolm.training.corpus.split_documents import DocumentSpan, DocumentSpans
from genolm.training.rows import Rows

Ids = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _Epoch:
    """One epoch, cut into pieces and shuffled.

    Pieces of the length of a row are rows. Shorter ones are concatenated with separators into a stream, which is cut
    into packed rows.

    Attributes:
        pieces: all pieces; first those that are rows.
        full_rows: number of pieces that are rows.
        begin_S: start of each shorter piece in the stream.
        batches_BR: row numbers of every batch.
        haplotype_P: haplotype of each piece, -1 for the reference; None without haplotypes.
    """

    pieces: Pieces
    full_rows: int
    begin_S: NDArray[np.int64]
    batches_BR: NDArray[np.int64]
    haplotype_P: NDArray[np.int32] | None


class RowOrder:
    """Endless sequence of batches of a split; every epoch has new phases, strands and order.

    Batch ``step`` depends on the seed only. The step is therefore the data cursor of a run, and processes that each
    take their share of a batch together see what one process would see.

    To need few attention masks, a batch has either rows of one document each or packed rows; at most one batch of an
    epoch has both. Fewer than ``batch_rows`` rows of an epoch are left out.

    Args:
        documents: documents to cut rows from; `DocumentSpans` also define the mixing of sources and strands.
        context: tokens that a row predicts from; a row has one more.
        batch_rows: rows of a batch.
        seed: random seed of phases, strands and order.
        tokenizer: tokenizer, for complements, separator and padding.
        haplotypes: haplotypes of individuals, one sampled for each piece in every epoch; None for the reference.
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
        self._haplotypes, self._documents = haplotypes, DocumentSpans.of(documents)
        self._positions = Positions(self._documents)
        self._length, self._batch_rows, self._seed = context + 1, batch_rows, seed
        self._eod, self._pad = tokenizer.eod_id, tokenizer.pad_id
        self._complement = complement_table(tokenizer).tobytes()
        if not (self._documents.length_N > 1).any():
            raise ValueError("no document of at least two tokens to cut rows from")
        self._first_steps = [0]
        self._current: tuple[int, _Epoch] | None = None

    def batch(self, step: int, rank: int = 0, world: int = 1) -> Rows:
        """Return the rows of a 0-based step; of ``world`` processes, process ``rank`` gets rows ``rank::world``.

        Raises:
            ValueError: the step is negative, or the rank is not below ``world``.
        """
        if step < 0 or not 0 <= rank < world:
            raise ValueError(f"invalid step {step} of rank {rank} of {world}")
        epoch = int(np.searchsorted(self._first_steps, step, side="right")) - 1
        while step >= self._first_steps[epoch] + self.epoch_batches(epoch):
            epoch += 1
        current = self._epoch(epoch)
        rows = current.batches_BR[step - self._first_steps[epoch]]
        return self._rows(current, rows[rank::world], packed=bool((rows >= current.full_rows).any()))

    def epoch_batches(self, epoch: int) -> int:
        """Return the number of batches of an epoch; it varies by one or two with the phases."""
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
        full_rows = int(is_row.sum())
        ends = np.cumsum(pieces.length_P[full_rows:] + 1)
        begins = ends - pieces.length_P[full_rows:] - 1
        packed = -(-(int(ends[-1]) - 1) // self._length) if len(ends) else 0
        batches = self._batches(full_rows, packed, random)
        # Sampled last, so that haplotypes do not change the rows.
        haplotypes = None if self._haplotypes is None else self._haplotypes.sample(len(pieces), random)
        return _Epoch(pieces, full_rows, begins, batches, haplotypes)

    def _batches(self, full_rows: int, packed: int, random: np.random.Generator) -> NDArray[np.int64]:
        """Return full batches of each kind of row, then batches of the remaining rows, in random order."""
        size, rows = self._batch_rows, np.arange(full_rows + packed)
        parts, left = (rows[:full_rows], rows[full_rows:]), []
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
        stretches: list[Stretch] = []
        for r, row in enumerate(rows.tolist()):
            if row >= epoch.full_rows:
                assert documents is not None
                found = self._pack(epoch, row - epoch.full_rows, ids[r], documents[r])
                stretches += [stretch._replace(row=r) for stretch in found]
                continue
            stretches.append(self._read(epoch, row, 0, self._length, ids[r])._replace(row=r))
            if documents is not None:
                documents[r] = 0
        return Rows(ids, documents, places=self._positions.places(stretches))

    def _pack(self, epoch: _Epoch, row: int, ids_L: Ids, documents_L: NDArray[np.int32]) -> list[Stretch]:
        """Fill a packed row from the stream of short pieces, whose first and last may be cut; return its stretches."""
        stretches = []
        start, stop = row * self._length, (row + 1) * self._length
        first = int(np.searchsorted(epoch.begin_S, start, side="right")) - 1
        last = int(np.searchsorted(epoch.begin_S, stop, side="left"))
        for number, piece in enumerate(range(first, last)):
            begin = int(epoch.begin_S[piece])
            end = begin + int(epoch.pieces.length_P[epoch.full_rows + piece])
            left, right = max(begin, start), min(end, stop)
            if left < right:
                target = slice(left - start, right - start)
                read = self._read(epoch, epoch.full_rows + piece, left - begin, right - begin, ids_L[target])
                stretches.append(read._replace(document=number))
                documents_L[target] = number
            if start <= end < stop and piece + 1 < len(epoch.begin_S):
                ids_L[end - start] = self._eod
        return stretches

    def _read(self, epoch: _Epoch, piece: int, start: int, stop: int, out_L: Ids) -> Stretch:
        """Read bases ``[start, stop)`` of a piece, counted on its strand; return where they are stored."""
        pieces = epoch.pieces
        number, offset = int(pieces.buffer_P[piece]), int(pieces.offset_P[piece])
        reverse = bool(pieces.reverse_P[piece])
        end = offset + int(pieces.length_P[piece])
        first, last = (end - stop, end - start) if reverse else (offset + start, offset + stop)
        ids_L = self._documents.buffers[number][first:last]
        if self._haplotypes is not None and epoch.haplotype_P is not None and epoch.haplotype_P[piece] >= 0:
            ids_L = self._haplotypes.read(number, first, ids_L, int(epoch.haplotype_P[piece]))
        if reverse:
            letters = ids_L[::-1].tobytes()
            out_L[:] = np.frombuffer(letters.translate(self._complement), np.uint8)  # ten times as fast as indexing
        else:
            out_L[:] = ids_L
        return Stretch(number, first, last, reverse)
