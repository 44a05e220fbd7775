"""Surprise along whole contigs, strand by strand and model by model, and what becomes of it when they are combined."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from genolm.tasks.stretches import Float32, mean_of_strands

Combine = Literal["mean", "min", "forward", "reverse"]
"""How a base's values of the two strands become one."""


class Tracks:
    """Values of every base of a genome, NaN where there is none; all in the order of the forward strand.

    Args:
        lengths: bases of every contig.
        strands: which were read; True is the reverse one.
        models: 1, or 2 whose difference counts.
        folder: where the values lie while they are used; None to hold them in memory.
    """

    def __init__(
        self, lengths: Mapping[str, int], strands: Iterable[bool], models: int, folder: Path | None = None
    ) -> None:
        self.lengths, self.strands, self.models = dict(lengths), tuple(strands), models
        ends = np.cumsum(list(self.lengths.values()))
        self._places = dict(zip(self.lengths, zip([0, *ends[:-1].tolist()], ends.tolist())))
        total = int(ends[-1])
        self._values = {
            (which, reverse): _blank(total, folder, f"{which}{reverse:d}")
            for which in range(models)
            for reverse in self.strands
        }

    def fill(self, frames: Iterable[pl.DataFrame]) -> None:
        """Takes in the rows of tiles: ``chrom``, ``reverse``, ``start`` and the surprise of each model."""
        names = ["chrom", "reverse", "start", *(f"surprise{which}" for which in range(self.models))]
        for frame in frames:
            for chrom, reverse, start, *surprises in zip(*(frame[name] for name in names)):
                begin = self._places[chrom][0] + start
                for which, values in enumerate(surprises):
                    self._values[which, reverse][begin : begin + len(values)] = values.to_numpy()

    def strand(self, chrom: str, reverse: bool) -> Float32:
        """One strand's values of a contig."""
        return self._difference([self._of(chrom, which, reverse) for which in range(self.models)])

    def combined(self, chrom: str, how: Combine) -> Float32:
        """A contig's values, of two models the first's less the second's, each combined for itself."""
        return self._difference([self._combined(chrom, which, how) for which in range(self.models)])

    def _combined(self, chrom: str, which: int, how: Combine) -> Float32:
        if how in ("forward", "reverse"):
            return self._of(chrom, which, how == "reverse")
        forward, reverse = (self._of(chrom, which, strand) for strand in (False, True))
        return mean_of_strands(forward, reverse) if how == "mean" else np.fmin(forward, reverse)

    def _of(self, chrom: str, which: int, reverse: bool) -> Float32:
        start, end = self._places[chrom]
        return self._values[which, reverse][start:end]

    @staticmethod
    def _difference(values: list[Float32]) -> Float32:
        return values[0] - values[1] if len(values) == 2 else np.asarray(values[0])


def _blank(count: int, folder: Path | None, name: str) -> Float32:
    if folder is None:
        return np.full(count, np.nan, np.float32)
    values = np.memmap(folder / f"{name}.values", np.float32, "w+", shape=(count,))
    values[:] = np.nan
    return values
