"""Feed of genome windows with tracks: bases of a FASTA file, and values of bigWig files for every base.

Shapes: R rows, L tokens of the longest row, T tracks.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from genolm.arrays import Float32
from genolm.errors import InputError
from genolm.files.digests import file_sha256
from genolm.genome.bigwig import BigWig
from genolm.genome.fasta import Genome
from genolm.genome.interval import Interval
from genolm.models.heads.head_config import TrackHeadConfig
from genolm.models.heads.track_scaling import scale_tracks
from genolm.models.model import Model
from genolm.training.corpus.corpus_regions import TRAIN, Division
from genolm.training.feeds.sequence_rows import SequenceTokens
from genolm.training.feeds.shuffled_items import ShuffledItems
from genolm.training.rows import Places, Rows
from genolm.training.trainer.schedule import stage_at
from genolm.training.trainer.training_plan import Stage, TrainingPlan, check_choice

_BASES = 1 << 20
"""Bases of a track that are read at a time."""


@dataclass(frozen=True, slots=True)
class TrackRecipe:
    """Windows of a genome with tracks; environment variables in paths are expanded.

    Attributes:
        genome: FASTA file.
        tracks: bigWig file of each track, by its name in the head. The values of tracks on the minus strand that are
            stored as negative numbers are read as their magnitude; bases without a value are 0.
        held_out: regions that are not trained on, by name of the split.
        contigs: contigs to train on; empty for all that every track has.
        stride: distance of training windows in bases; 0 for half a window.
        max_n: largest fraction of N in a window.
        scaling: ``mean`` to scale each track by the mean of its non-zero values in training sequence and to compress
            large values, as published for Genos; ``none`` to predict the values themselves.
    """

    genome: str
    tracks: Mapping[str, str] = field(hash=False)
    held_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    contigs: tuple[str, ...] = ()
    stride: int = 0
    max_n: float = 0.5
    scaling: str = "mean"

    def __post_init__(self) -> None:
        if not self.tracks:
            raise InputError("tracks must name at least one bigWig file")
        if self.stride < 0:
            raise InputError("stride must not be negative", value=self.stride)
        if not 0 <= self.max_n <= 1:
            raise InputError("max_n must be between 0 and 1", value=self.max_n)
        check_choice("scaling", self.scaling, ("mean", "none"))


class TrackReader:
    """Reads tracks of intervals as magnitudes.

    Args:
        recipe: tracks of the run.
        genome: the genome, for further names of contigs.

    Raises:
        InputError: a file is not a bigWig, or a track does not exist.
    """

    def __init__(self, recipe: TrackRecipe, genome: Genome) -> None:
        self.paths = {name: _path(path) for name, path in recipe.tracks.items()}
        self._files = {name: BigWig(path, genome.synonyms) for name, path in self.paths.items()}
        self._signs: dict[str, float] = {}

    def contigs(self, genome: Genome) -> list[str]:
        """Return the contigs of the genome that every track has, in the order of the genome."""
        named = [{genome.contig(name) for name in file.lengths} for file in self._files.values()]
        return [name for name in genome.lengths if all(name in names for names in named)]

    def values(self, interval: Interval) -> Float32:
        """Return the magnitudes of an interval, (bases, T), 0 where a track has no value.

        Raises:
            InputError: a track has values of both signs, or an infinite one.
        """
        return np.stack([self._magnitude(name, interval) for name in self._files], 1)

    def close(self) -> None:
        """Close the files."""
        with ExitStack() as stack:
            for file in self._files.values():
                stack.enter_context(file)

    def _magnitude(self, name: str, interval: Interval) -> Float32:
        values = np.nan_to_num(self._files[name].values(interval), nan=0.0, posinf=np.inf, neginf=-np.inf)
        if not np.isfinite(values).all():
            raise InputError("an infinite value", file=self.paths[name], value=str(interval))
        signs = {float(sign) for sign in np.unique(np.sign(values)) if sign}
        if len(signs | ({self._signs[name]} if name in self._signs else set())) > 1:
            raise InputError("a track has values of both signs", file=self.paths[name], value=str(interval))
        for sign in signs:
            self._signs[name] = sign
        return np.abs(values)


class TrackFeed:
    """Windows of a genome with the values of tracks, by step.

    Training regions are cut into windows of the context of a stage, with one more at the end of each region; a contig
    shorter than a window is one row. Windows of held-out regions do not overlap.

    Args:
        recipe: genome and tracks.
        plan: plan with stages and seed.
        model: model whose tokens are read.
        head: head that is trained.

    Raises:
        InputError: a file cannot be read; the tracks are not those of the head; a token of the model has several bases;
            there are no windows.
    """

    def __init__(self, recipe: TrackRecipe, plan: TrainingPlan, model: Model, head: TrackHeadConfig) -> None:
        self._tokens, self._plan, self._recipe = SequenceTokens(model), plan, recipe
        if not self._tokens.single:
            raise InputError("tracks require a model with one base per token")
        if set(recipe.tracks) != set(head.tracks):
            raise InputError(
                f"the tracks must be those of the head: {', '.join(head.tracks)}", value=list(recipe.tracks)
            )
        recipe = replace(recipe, tracks={name: recipe.tracks[name] for name in head.tracks})
        self._genome = Genome(_path(recipe.genome))
        self._tracks = TrackReader(recipe, self._genome)
        self._regions = self._divide(recipe)
        self.head = self._scaled(head)
        self._windows = {stage.context: self._cut(stage) for stage in plan.all_stages}
        self._orders = {context: ShuffledItems(len(windows[TRAIN]), plan) for context, windows in self._windows.items()}
        self._held_out = {stage.context: self._evaluated(stage) for stage in plan.all_stages}

    @property
    def digest(self) -> str:
        """SHA-256 of the genome and the tracks."""
        parts = [file_sha256(self._genome.path), *(file_sha256(path) for path in self._tracks.paths.values())]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def rows(self, step: int, team: int, teams: int) -> Rows:
        """Return the rows of one team in a step: every ``teams``-th row of the batch, starting at ``team``."""
        context = stage_at(step, self._plan).stage.context
        windows = self._windows[context][TRAIN]
        return self._rows([windows[item] for item in self._orders[context].of_step(step, team, teams)])

    def held_out(self, stage: Stage) -> Mapping[str, Rows]:
        """Return windows of every held-out split, at most ``evaluate_windows`` of each, evenly spaced."""
        return self._held_out[stage.context]

    def metrics(self) -> dict[str, Any]:
        """Return the number of windows by split, and the means that scale the tracks."""
        last = self._windows[self._plan.all_stages[-1].context]
        means = dict(zip(self.head.tracks, self.head.means, strict=True)) if self.head.means else {}
        return {"windows": {name: len(windows) for name, windows in last.items()}, "track_means": means}

    def close(self) -> None:
        """Close the files."""
        self._tracks.close()
        self._genome.close()

    def _divide(self, recipe: TrackRecipe) -> list[tuple[str, int, int, str]]:
        """Return contig, start, end and split of the regions of all contigs."""
        contigs = self._tracks.contigs(self._genome)
        chosen = [self._genome.resolve(name) for name in recipe.contigs]
        if missing := [name for name in chosen if name not in contigs]:
            raise InputError("a track has no values on this contig", file=self._genome.path, value=missing[0])
        division = Division(recipe.held_out, (), (), {"": self._genome.synonyms})
        found = [
            (name, *piece)
            for name in contigs
            for piece in division.divide("", name, 0, self._genome.lengths[name])
            if piece[2] != TRAIN or not chosen or name in chosen
        ]
        if unmatched := division.unmatched():
            raise InputError("no contig with tracks lies in this region of held_out", value=unmatched[0])
        return found

    def _scaled(self, head: TrackHeadConfig) -> TrackHeadConfig:
        """Return the head with the means of its tracks, over training sequence only, unless it has them."""
        if self._recipe.scaling == "none" or head.means:
            return head
        sums, counts = np.zeros(len(head.tracks)), np.zeros(len(head.tracks))
        for contig, first, last, split in self._regions:
            for start in range(first, last, _BASES) if split == TRAIN else ():
                values = self._tracks.values(Interval(contig, start, min(last, start + _BASES)))
                sums += values.sum(0, dtype=np.float64)
                counts += (values != 0).sum(0)
        if not counts.all():
            name = head.tracks[int(np.flatnonzero(counts == 0)[0])]
            raise InputError("the track is zero in all training sequence", file=self._tracks.paths[name])
        return replace(head, means=tuple(float(mean) for mean in sums / counts))

    def _bases(self, stage: Stage) -> int:
        """Return the bases of a window."""
        bases = stage.context - self._tokens.before - self._tokens.after
        if bases < 1:
            raise InputError("the context has no space for bases", value=stage.context)
        return bases

    def _cut(self, stage: Stage) -> dict[str, list[Interval]]:
        """Return the windows of every split."""
        bases = self._bases(stage)
        stride = self._recipe.stride or max(1, bases // 2)
        windows: dict[str, list[Interval]] = {TRAIN: [], **{name: [] for name in self._recipe.held_out}}
        for contig, first, last, split in self._regions:
            step = stride if split == TRAIN else bases
            windows[split] += [window for window in tiles(contig, first, last, bases, step) if self._is_known(window)]
        for name, found in windows.items():
            if not found:
                raise InputError(f"the split {name!r} has no window with less than {self._recipe.max_n:.0%} N")
        return windows

    def _is_known(self, window: Interval) -> bool:
        return self._genome[window].count("N") <= self._recipe.max_n * len(window)

    def _evaluated(self, stage: Stage) -> dict[str, Rows]:
        """Return held-out windows as rows, evenly spaced if there are more than ``evaluate_windows``."""
        rows = {}
        for name, windows in self._windows[stage.context].items():
            if name != TRAIN:
                chosen = np.linspace(0, len(windows) - 1, min(len(windows), self._plan.evaluate_windows)).astype(int)
                rows[name] = self._rows([windows[number] for number in chosen])
        return rows

    def _rows(self, windows: Sequence[Interval]) -> Rows:
        sequences = [self._genome[window] for window in windows]
        longest = max(map(len, sequences)) + self._tokens.before + self._tokens.after
        rows = self._tokens.rows([self._tokens.ids(sequence, longest) for sequence in sequences])
        targets = self._tokens.along(rows, [self._targets(window) for window in windows])
        known = [np.array([letter != "N" for letter in sequence], np.float32) for sequence in sequences]
        counted_RL = self._tokens.along(rows, known) > 0
        contigs = {window.chrom: number for number, window in enumerate({one.chrom: one for one in windows}.values())}
        places = [(row, 0, contigs[one.chrom], one.start, one.end, False) for row, one in enumerate(windows)]
        return rows._replace(targets=targets, counted_RL=counted_RL, places=Places.of(tuple(contigs), places))

    def _targets(self, window: Interval) -> NDArray[np.float32]:
        values = self._tracks.values(window)
        if not self.head.means:
            return values
        return scale_tracks(torch.from_numpy(values), self.head.means, self.head.squashed or None).numpy()


def tiles(contig: str, first: int, last: int, bases: int, stride: int) -> Iterator[Interval]:
    """Yield windows of ``bases`` bases every ``stride`` bases, and one at the end of the region if bases are left.

    A region that is shorter than a window is one window.
    """
    if last - first <= bases:
        yield Interval(contig, first, last)
        return
    starts = list(range(first, last - bases + 1, stride))
    if starts[-1] + bases < last:
        starts.append(last - bases)
    yield from (Interval(contig, start, start + bases) for start in starts)


def _path(name: str) -> Path:
    return Path(os.path.expandvars(name))
