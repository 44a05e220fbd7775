"""Surprise along whole contigs, strand by strand and model by model, and what becomes of it when they are combined."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from genolm.arrays import Float32
from genolm.tasks.reading.scored_spans import mean_of_strands

Role = Literal["model", "minus", "twin"]
"""What a model is for: its surprise is the track; is taken from it; stands beside it as a baseline."""

Combine = Literal["mean", "min", "forward", "reverse"]
"""How a base's values of the two strands become one."""

_WRITTEN = 1 << 20  # values at a time


class Tracks:
    """Values of every base of a genome, NaN where there is none; all in the order of the forward strand.

    Args:
        lengths: bases of every contig.
        strands: which were read; True is the reverse one.
        roles: of the models whose surprise there is.
        folder: where the values lie while they are used; None to hold them in memory.
    """

    def __init__(
        self, lengths: Mapping[str, int], strands: Iterable[bool], roles: Iterable[Role], folder: Path | None = None
    ) -> None:
        self.lengths, self.strands, self.roles = dict(lengths), tuple(strands), tuple(roles)
        ends = np.cumsum(list(self.lengths.values()))
        self._places = dict(zip(self.lengths, zip([0, *ends[:-1].tolist()], ends.tolist())))
        total = int(ends[-1])
        self._values = {
            (role, reverse): _blank(total, folder, f"{role}{reverse:d}")
            for role in self.roles
            for reverse in self.strands
        }

    def fill(self, frames: Iterable[pl.DataFrame]) -> None:
        """Takes in the rows of tiles: ``chrom``, ``reverse``, ``start`` and, by its role, each model's surprise."""
        names = ["chrom", "reverse", "start", *self.roles]
        for frame in frames:
            for chrom, reverse, start, *surprises in zip(*(frame[name] for name in names)):
                begin = self._places[chrom][0] + start
                for role, values in zip(self.roles, surprises):
                    self._values[role, reverse][begin : begin + len(values)] = values.to_numpy()

    def strand(self, chrom: str, reverse: bool) -> Float32:
        """One strand's values of a contig: the model's surprise, less that of the second where there is one."""
        values = self._of(chrom, "model", reverse)
        return values - self._of(chrom, "minus", reverse) if "minus" in self.roles else values

    def combined(self, chrom: str, how: Combine) -> Float32:
        """A contig's values; of two models each is combined for itself before the difference is taken."""
        values = self.of(chrom, "model", how)
        return values - self.of(chrom, "minus", how) if "minus" in self.roles else values

    def of(self, chrom: str, role: Role, how: Combine) -> Float32:
        """The combined surprise of one model."""
        if how in ("forward", "reverse"):
            return self._of(chrom, role, how == "reverse")
        forward, reverse = (self._of(chrom, role, strand) for strand in (False, True))
        return mean_of_strands(forward, reverse) if how == "mean" else np.fmin(forward, reverse)

    def _of(self, chrom: str, role: Role, reverse: bool) -> Float32:
        start, end = self._places[chrom]
        return self._values[role, reverse][start:end]


def _blank(count: int, folder: Path | None, name: str) -> Float32:
    if folder is None:
        return np.full(count, np.nan, np.float32)
    path, blank = folder / f"{name}.values", np.full(min(count, _WRITTEN), np.nan, np.float32)
    try:
        # Written, not mapped: where the disk is full, a write is an error and a map kills the process.
        with path.open("wb") as file:
            for start in range(0, count, _WRITTEN):
                file.write(blank[: count - start].data)
        return np.memmap(path, np.float32, "r+", shape=(count,))
    finally:
        path.unlink(missing_ok=True)  # the map keeps its space for as long as it is used
