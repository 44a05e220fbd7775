"""Training and held-out bases: runs of ACGT out of FASTA files, cut into rows in an order fixed by seed and epoch."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolm.errors import InputError
from genolm.genome.interval import Interval
from genolm.genome.sequences import read_sequences
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.leakage import KmerSet, leaking_pieces
from genolm.training.recipe import CorpusRecipe, parse_regions

Ids = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Run:
    """A run of unbroken ACGT.

    Attributes:
        interval: where it stands, 0-based half-open.
        ids: its token ids, (length,).
    """

    interval: Interval
    ids: Ids


class Rows(NamedTuple):
    """One batch of a training step.

    Attributes:
        ids_RL: token ids, (rows, context + 1); padded at the end.
        documents_RL: document of every token, -1 for padding and separators; None when each row is one document.
    """

    ids_RL: Ids
    documents_RL: NDArray[np.int32] | None


@dataclass(frozen=True, slots=True)
class Corpus:
    """Runs by split. ``train`` shares no region with a held-out split, nor more than a few 28-mers of any piece.

    Attributes:
        splits: runs of ``train`` and of every held-out split.
        dropped: bases left out of training because they repeat held-out sequence.
    """

    splits: dict[str, tuple[Run, ...]]
    dropped: int

    def bases(self, split: str) -> int:
        """Number of bases in a split."""
        return sum(len(run.ids) for run in self.splits[split])


def load_corpus(recipe: CorpusRecipe, tokenizer: NucleotideTokenizer) -> Corpus:
    """Read the recipe's FASTA files and divide them.

    Raises:
        InputError: for a file that is not there, a held-out split that no base falls into, or no training base.
    """
    regions = {name: parse_regions(texts) for name, texts in recipe.held_out.items()}
    skipped = parse_regions(recipe.skip)
    splits: dict[str, list[Run]] = {"train": [], **{name: [] for name in regions}}
    for path in recipe.paths():
        for run in _runs(path, tokenizer, recipe.min_run):
            for split, piece in _assign(run, regions, skipped):
                splits[split].append(piece)
    for name, runs in splits.items():
        if not runs:
            raise InputError(f"no base of the corpus falls into the split {name!r}")
    train, dropped = _without_leaks(splits, recipe, tokenizer)
    return Corpus({name: tuple(train if name == "train" else runs) for name, runs in splits.items()}, dropped)


def _runs(path: Path, tokenizer: NucleotideTokenizer, shortest: int) -> Iterator[Run]:
    n_id = tokenizer.encode("N")[0]
    for record in read_sequences(path, iupac="N"):
        ids = tokenizer.encode(record.sequence)
        edges = np.flatnonzero(np.diff(np.concatenate(([True], ids == n_id, [True])).astype(np.int8)))
        for start, stop in edges.reshape(-1, 2).tolist():
            if stop - start >= shortest:
                yield Run(Interval(record.id, start, stop), ids[start:stop])


def _assign(
    run: Run, regions: dict[str, list[Interval | str]], skipped: list[Interval | str]
) -> Iterator[tuple[str, Run]]:
    """The pieces of a run with the split each belongs to; pieces of a skipped region vanish."""
    owners = [(region, name) for name, items in regions.items() for region in items]
    owners += [(region, "") for region in skipped]
    cuts = {run.interval.start, run.interval.end}
    for region, _ in owners:
        if isinstance(region, Interval) and region.overlaps(run.interval):
            cuts |= {max(region.start, run.interval.start), min(region.end, run.interval.end)}
    borders = sorted(cuts)
    for start, stop in itertools.pairwise(borders):
        piece = Interval(run.interval.chrom, start, stop)
        split = next((name for region, name in owners if _covers(region, piece)), "train")
        if split:
            yield split, Run(piece, run.ids[start - run.interval.start : stop - run.interval.start])


def _covers(region: Interval | str, piece: Interval) -> bool:
    return region == piece.chrom if isinstance(region, str) else region.contains(piece)


def _without_leaks(
    splits: dict[str, list[Run]], recipe: CorpusRecipe, tokenizer: NucleotideTokenizer
) -> tuple[list[Run], int]:
    held_out = KmerSet(
        [run.ids for name, runs in splits.items() if name != "train" for run in runs], tokenizer.base_ids
    )
    kept, dropped = [], 0
    for run in splits["train"]:
        for start, stop, leaks in leaking_pieces(run.ids, held_out, recipe.leak_fraction):
            if leaks or stop - start < recipe.min_run:
                dropped += stop - start
                continue
            place = Interval(run.interval.chrom, run.interval.start + start, run.interval.start + stop)
            kept.append(Run(place, run.ids[start:stop]))
    return kept, dropped


class RowOrder:
    """Rows of a split without end: every epoch cuts at new phases, draws strands anew and shuffles.

    Batch number ``step`` is a function of the seed alone, so that the data cursor of a run is its step.

    Args:
        runs: where rows are cut from.
        context: tokens a row predicts from; a row holds one more.
        batch_rows: rows of a batch.
        seed: of phases, strands and order.
        tokenizer: for the complement, the separator and the padding.
    """

    def __init__(
        self, runs: tuple[Run, ...], context: int, batch_rows: int, seed: int, tokenizer: NucleotideTokenizer
    ) -> None:
        self._runs, self._length, self._batch_rows, self._seed = runs, context + 1, batch_rows, seed
        self._eod, self._pad = tokenizer.eod_id, tokenizer.pad_id
        a, c, g, t = tokenizer.base_ids
        self._complement = np.arange(256, dtype=np.uint8)
        self._complement[[a, c, g, t]] = [t, g, c, a]
        self._epoch, self._batches, self._first_step = -1, [], 0  # type: tuple[int, list[list[list[Ids]]], int]

    def batch(self, step: int) -> Rows:
        """The rows of one step, counted from 0."""
        if step < self._first_step:
            self._epoch, self._batches, self._first_step = -1, [], 0
        while step >= self._first_step + len(self._batches):
            self._first_step += len(self._batches)
            self._epoch += 1
            self._batches = self._cut_epoch(self._epoch)
        return self._rows(self._batches[step - self._first_step])

    def _cut_epoch(self, epoch: int) -> list[list[list[Ids]]]:
        """Batches of rows of documents. Rows of several documents share batches, so that few batches need a mask."""
        random = np.random.default_rng((self._seed, epoch))
        pieces = [piece for run in self._runs for piece in self._cut(run.ids, random)]
        pieces = [pieces[i] for i in random.permutation(len(pieces))]
        whole = [[piece] for piece in pieces if len(piece) == self._length]
        packed = _pack([piece for piece in pieces if len(piece) < self._length], self._length)
        size = self._batch_rows
        batches = [rows[i : i + size] for rows in (whole, packed) for i in range(0, len(rows), size)]
        full = [batch for batch in batches if len(batch) == size] or batches
        return [full[i] for i in random.permutation(len(full))]

    def _cut(self, ids: Ids, random: np.random.Generator) -> Iterator[Ids]:
        phase = int(random.integers(self._length)) if len(ids) > self._length else 0
        borders = [0, *range(phase or self._length, len(ids), self._length), len(ids)]
        for start, stop in itertools.pairwise(borders):
            if stop - start > 1:
                piece = ids[start:stop]
                yield self._complement[piece[::-1]] if random.integers(2) else piece

    def _rows(self, rows: list[list[Ids]]) -> Rows:
        ids = np.full((len(rows), self._length), self._pad, dtype=np.uint8)
        documents = np.full((len(rows), self._length), -1, dtype=np.int32)
        for r, pieces in enumerate(rows):
            at = 0
            for number, piece in enumerate(pieces):
                ids[r, at : at + len(piece)], documents[r, at : at + len(piece)] = piece, number
                at += len(piece)
                if at < self._length:
                    ids[r, at], at = self._eod, at + 1
        whole = all(len(pieces) == 1 and len(pieces[0]) == self._length for pieces in rows)
        return Rows(ids, None if whole else documents)


def _pack(pieces: list[Ids], length: int) -> list[list[Ids]]:
    """First fit, longest first, one separator after each piece that does not end its row."""
    rows: list[list[Ids]] = []
    space: list[int] = []
    for piece in sorted(pieces, key=len, reverse=True):
        for r, left in enumerate(space[-64:], max(0, len(space) - 64)):
            if len(piece) <= left:
                rows[r].append(piece)
                space[r] -= len(piece) + 1
                break
        else:
            rows.append([piece])
            space.append(length - len(piece) - 1)
    return rows
