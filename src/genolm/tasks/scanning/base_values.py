"""Surprisal along contigs by model and strand, and its combination into one track."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from genolm.arrays import Float32
from genolm.tasks.reading.scored_spans import mean_of_strands

Role = Literal["model", "minus", "twin"]
"""Role of a model: its surprisal is the track, is subtracted from it, or is a baseline (untrained model)."""

Combine = Literal["mean", "min", "forward", "reverse"]
"""Combination of the values of the two strands."""

_CHUNK = 1 << 20  # values written at a time


class Tracks:
    """Values of every base of a genome in the order of the forward strand; NaN if missing.

    Args:
        lengths: length of each contig in bases.
        strands: strands that are read; True is the reverse strand.
        roles: roles of the models.
        folder: folder for unnamed temporary files of the values; None: in memory.
    """

    def __init__(
        self, lengths: Mapping[str, int], strands: Iterable[bool], roles: Iterable[Role], folder: Path | None = None
    ) -> None:
        self.lengths, self.strands, self.roles = dict(lengths), tuple(strands), tuple(roles)
        ends = np.cumsum(list(self.lengths.values()))
        self._spans = dict(zip(self.lengths, zip([0, *ends[:-1].tolist()], ends.tolist())))
        total = int(ends[-1])
        self._values = {(role, reverse): _blank(total, folder) for role in self.roles for reverse in self.strands}

    def fill(self, frames: Iterable[pl.DataFrame]) -> None:
        """Fill in the rows of tiles: ``chrom``, ``reverse``, ``start`` and the surprisal of each model by its role."""
        names = ["chrom", "reverse", "start", *self.roles]
        for frame in frames:
            for chrom, reverse, start, *by_role in zip(*(frame[name] for name in names)):
                begin = self._spans[chrom][0] + start
                for role, values in zip(self.roles, by_role):
                    self._values[role, reverse][begin : begin + len(values)] = values.to_numpy()

    def strand(self, chrom: str, reverse: bool) -> Float32:
        """Return the values of one strand of a contig: the surprisal of the model minus that of a second model."""
        values = self._of(chrom, "model", reverse)
        return values - self._of(chrom, "minus", reverse) if "minus" in self.roles else values

    def combined(self, chrom: str, how: Combine) -> Float32:
        """Return the combined values of a contig; each model is combined before the difference is taken."""
        values = self.of(chrom, "model", how)
        return values - self.of(chrom, "minus", how) if "minus" in self.roles else values

    def of(self, chrom: str, role: Role, how: Combine) -> Float32:
        """Return the combined surprisal of one model."""
        if how in ("forward", "reverse"):
            return self._of(chrom, role, how == "reverse")
        forward, reverse = (self._of(chrom, role, strand) for strand in (False, True))
        return mean_of_strands(forward, reverse) if how == "mean" else np.fmin(forward, reverse)

    def _of(self, chrom: str, role: Role, reverse: bool) -> Float32:
        start, end = self._spans[chrom]
        return self._values[role, reverse][start:end]


def _blank(count: int, folder: Path | None) -> Float32:
    if folder is None:
        return np.full(count, np.nan, np.float32)
    blank = np.full(min(count, _CHUNK), np.nan, np.float32)
    with tempfile.TemporaryFile(dir=folder) as file:  # the space is freed when the map is closed
        # Written before it is mapped: a full disk makes a write fail, but kills a process that uses a map.
        for start in range(0, count, _CHUNK):
            file.write(blank[: count - start].data)
        file.flush()
        return np.memmap(file, np.float32, "r+", shape=(count,))
