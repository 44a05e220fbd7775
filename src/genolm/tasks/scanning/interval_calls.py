"""Intervals in which a track stays high or low, called against a null of shuffled blocks.

The track is averaged over bins, smoothed over a window and standardised. A call is a stretch that stays beyond the
lower of two thresholds and passes the higher one somewhere (hysteresis). The null is the same track with its blocks
shuffled: it has the same values and the same structure within a block, and none beyond. What calls of that size the
shuffled tracks have gives the false-discovery rate. N bins, M calls.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genolm.arrays import Float32, Float64
from genolm.errors import InputError
from genolm.files.atomic import write_text
from genolm.genome.spans import true_runs
from genolm.tasks.reading.seeds import check_seed

Side = Literal["high", "low", "both", "none"]
"""Which intervals are called: those above the mean of the track, below it, both, or none at all."""

Int64 = NDArray[np.int64]
_PER_WINDOW = 25  # bins of a smoothing window
_SPREAD_FROM = 10  # shuffles that the spread of the null is taken from
_LEAST_BLOCKS = 20  # fewer can hardly be shuffled
COLUMNS = {
    "chrom": pl.String,
    "start": pl.Int64,
    "end": pl.Int64,
    "name": pl.String,
    "score": pl.Int64,
    "strand": pl.String,
    "length": pl.Int64,
    "depth": pl.Float64,
    "peak_z": pl.Float64,
    "fdr": pl.Float64,
}
"""The columns of the calls, in the order of a BED file."""


@dataclass(frozen=True, slots=True)
class Calling:
    """How intervals are called.

    Attributes:
        side: which.
        smooth: bases of the smoothing window, about.
        enter: z-score that a call reaches somewhere.
        leave: z-score that it keeps throughout.
        min_length: fewest bases of a call.
        max_fdr: largest false-discovery rate of a call.
        block: bases of the blocks that the null shuffles, about.
        shuffles: how often.
        seed: of the shuffling.

    Raises:
        InputError: a setting that makes no sense.
    """

    side: Side = "high"
    smooth: int = 1000
    enter: float = 3.0
    leave: float = 1.5
    min_length: int = 1000
    max_fdr: float = 0.05
    block: int = 250
    shuffles: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        if self.side not in get_args(Side):
            raise InputError(f"what is called is one of {', '.join(get_args(Side))}", value=self.side)
        for name in ("smooth", "min_length", "block", "shuffles"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is at least 1", value=getattr(self, name))
        if not 0 <= self.leave <= self.enter:
            raise InputError("the threshold to leave is from 0 to that to enter", value=(self.leave, self.enter))
        if not 0 <= self.max_fdr <= 1:
            raise InputError("a false-discovery rate is from 0 to 1", value=self.max_fdr)
        check_seed(self.seed)

    @property
    def bin(self) -> int:
        """Bases of a bin."""
        return max(1, self.smooth // _PER_WINDOW)

    @property
    def half(self) -> int:
        """Bins of the smoothing window on either side of its middle."""
        return self.smooth // self.bin // 2

    @property
    def block_bins(self) -> int:
        """Bins of a block that is shuffled."""
        return max(1, self.block // self.bin)


class _Stretches(NamedTuple):
    """The bins in which enough is known, in stretches without a gap that are smoothed each for itself.

    Attributes:
        sums_N: sum of the values of a bin.
        counts_N: how many those are.
        first_N: the first bin of the stretch that a bin belongs to.
        after_N: the bin after the last of it.
        chroms: the contig of each stretch, by its first bin.
        starts_N: first base of a bin on its contig.
        ends_N: base after its last.
    """

    sums_N: Float64
    counts_N: Float64
    first_N: Int64
    after_N: Int64
    chroms: dict[int, str]
    starts_N: Int64
    ends_N: Int64


class _Found(NamedTuple):
    """Calls of one track: their bins, half-open, the excess over the mean that they add up to (nats), their peak."""

    first_M: Int64
    last_M: Int64
    area_M: Float64
    peak_M: Float64


def call(contigs: Iterable[tuple[str, Float32]], calling: Calling) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Calls intervals of a genome.

    Args:
        contigs: name and values of each, NaN where there is none.
        calling: how.

    Returns:
        The calls by contig and start, with the columns of :data:`COLUMNS`: ``depth`` is the mean of the track in the
        interval less the mean of the whole track; ``fdr`` the false calls of at least that area (length times depth)
        expected in a shuffled track, over those found. And what was done: mean and spread of the null, counts.
    """
    nothing = pl.DataFrame(schema=COLUMNS)
    if calling.side == "none":
        return nothing, {"side": "none"}
    known = _stretches(contigs, calling)
    blocks = len(known.sums_N) // calling.block_bins
    if blocks < _LEAST_BLOCKS:
        return nothing, {"calls": 0, "not_called_because": f"{blocks} blocks are too few for a null"}
    mean = float(known.sums_N.sum() / known.counts_N.sum())
    known = known._replace(sums_N=known.sums_N - mean * known.counts_N)
    spread = _null_spread(known, calling)
    if not spread > 0:
        return nothing, {"calls": 0, "not_called_because": "the track is the same everywhere"}
    sides = [sign for sign, side in ((1, "high"), (-1, "low")) if calling.side in (side, "both")]
    frames, false = zip(*(_called(known, calling, spread, sign) for sign in sides))
    rows = _named(pl.concat(frames), list(dict.fromkeys(known.chroms.values())))
    about = {
        "calls": len(rows),
        "mean": mean,
        "null_spread": spread,
        "bin_bases": calling.bin,
        "smoothing_bases": (2 * calling.half + 1) * calling.bin,
        "block_bases": calling.block_bins * calling.bin,
        "bases_looked_at": int(known.counts_N.sum()),
        "calls_per_shuffled_track": {
            "high" if sign > 0 else "low": count for sign, count in zip(sides, false, strict=True)
        },
    }
    return rows, about


def write_bed(rows: pl.DataFrame, path: Path, depth: str) -> None:
    """Writes calls as BED6+4 below a line of column names that begins with ``#``.

    Args:
        rows: as :func:`call` returns them.
        path: the file.
        depth: what the column ``depth`` is called.
    """
    lines = ["#" + "\t".join(depth if name == "depth" else name for name in COLUMNS)]
    for row in rows.iter_rows(named=True):
        values = {**row, **{name: f"{row[name]:.6g}" for name in ("depth", "peak_z", "fdr")}}
        lines.append("\t".join(str(values[name]) for name in COLUMNS))
    write_text(path, "".join(f"{line}\n" for line in lines))


def _stretches(contigs: Iterable[tuple[str, Float32]], calling: Calling) -> _Stretches:
    """Bins of all contigs; stretches of less than half a smoothing window are left out."""
    columns: list[tuple[Float64, Float64, Int64, Int64]] = []
    firsts, chroms, done = list[int](), dict[int, str](), 0
    for chrom, values in contigs:
        sums, counts = _binned(values, calling.bin)
        for first, last in true_runs(counts * 2 >= calling.bin).tolist():
            if last - first > calling.half:
                starts = np.arange(first, last) * calling.bin
                columns.append(
                    (sums[first:last], counts[first:last], starts, np.minimum(starts + calling.bin, len(values)))
                )
                chroms[done] = chrom
                firsts.append(done)
                done += last - first
    empty = (np.empty(0), np.empty(0), np.empty(0, np.int64), np.empty(0, np.int64))
    sums_N, counts_N, starts_N, ends_N = (np.concatenate(column) for column in zip(empty, *columns))
    lengths = np.diff([*firsts, done])
    first_N = np.repeat(np.array(firsts, np.int64), lengths)
    after_N = np.repeat(np.array([*firsts[1:], done][: len(firsts)], np.int64), lengths)
    return _Stretches(sums_N, counts_N, first_N, after_N, chroms, starts_N, ends_N)


def _binned(values: Float32, width: int) -> tuple[Float64, Float64]:
    """Sum and number of the known values of every bin; the last may be short."""
    known = ~np.isnan(values)
    borders = np.arange(0, len(values), width)
    sums = np.add.reduceat(np.where(known, values, 0).astype(np.float64), borders)
    return sums, np.add.reduceat(known.astype(np.float64), borders)


def _smoothed(sums_N: Float64, counts_N: Float64, known: _Stretches, half: int) -> Float64:
    """Mean over the window around each bin, as much of it as lies in the bin's stretch."""
    places = np.arange(len(sums_N))
    low, high = np.maximum(places - half, known.first_N), np.minimum(places + half + 1, known.after_N)
    sums, counts = (np.concatenate(([0.0], np.cumsum(column))) for column in (sums_N, counts_N))
    return np.asarray((sums[high] - sums[low]) / (counts[high] - counts[low]))


def _shuffled(known: _Stretches, calling: Calling, number: int) -> tuple[Float64, Float64]:
    """Sums and counts with their blocks, laid from a place drawn anew, in another order."""
    random = np.random.default_rng((calling.seed, number))
    bins, width = len(known.sums_N), calling.block_bins
    order = random.permutation(math.ceil(bins / width))
    places = (order[:, None] * width + np.arange(width)).ravel()
    places = (places[places < bins] + random.integers(bins)) % bins
    return known.sums_N[places], known.counts_N[places]


def _null_spread(known: _Stretches, calling: Calling) -> float:
    """Standard deviation of smoothed shuffled tracks."""
    drawn = (_shuffled(known, calling, number) for number in range(min(_SPREAD_FROM, calling.shuffles)))
    variances = [float(_smoothed(*pair, known, calling.half).var()) for pair in drawn]
    return math.sqrt(sum(variances) / len(variances))


def _called(known: _Stretches, calling: Calling, spread: float, sign: int) -> tuple[pl.DataFrame, float]:
    """The calls of one side, and how many a shuffled track has."""
    found = _found(known.sums_N, known.counts_N, known, calling, spread, sign)
    null = [
        _found(*_shuffled(known, calling, number), known, calling, spread, sign).area_M
        for number in range(calling.shuffles)
    ]
    fdr_M = _false_discovery(found.area_M, np.concatenate(null), calling.shuffles)
    false = sum(map(len, null)) / calling.shuffles
    kept = fdr_M <= calling.max_fdr
    first, last = found.first_M[kept], found.last_M[kept]
    starts, ends = known.starts_N[first], known.ends_N[last - 1]
    counts = np.concatenate(([0.0], np.cumsum(known.counts_N)))
    columns = {
        "chrom": [known.chroms[int(known.first_N[place])] for place in first],
        "start": starts,
        "end": ends,
        "name": ["high" if sign > 0 else "low"] * len(first),
        "score": np.rint(1000 * (1 - fdr_M[kept])).astype(np.int64),
        "strand": ["."] * len(first),
        "length": ends - starts,
        "depth": sign * found.area_M[kept] / (counts[last] - counts[first]),
        "peak_z": sign * found.peak_M[kept],
        "fdr": fdr_M[kept],
    }
    return pl.DataFrame(columns, schema=COLUMNS), false


def _found(sums_N: Float64, counts_N: Float64, known: _Stretches, calling: Calling, spread: float, sign: int) -> _Found:
    """Stretches of z at least ``leave`` that reach ``enter`` and are long enough."""
    z_N = sign * _smoothed(sums_N, counts_N, known, calling.half) / spread
    above_N = z_N >= calling.leave
    at_border_N = known.first_N == np.arange(len(z_N))
    begins_N = above_N & (np.concatenate(([True], ~above_N[:-1])) | at_border_N)
    first_M = np.flatnonzero(begins_N)
    if not len(first_M):
        return _Found(first_M, first_M, np.empty(0), np.empty(0))
    ends_N = above_N & np.concatenate((~above_N[1:] | at_border_N[1:], [True]))
    last_M = np.flatnonzero(ends_N) + 1
    peak_M = np.maximum.reduceat(np.where(above_N, z_N, -np.inf), first_M)
    totals = np.concatenate(([0.0], np.cumsum(sign * sums_N)))
    area_M = totals[last_M] - totals[first_M]
    length_M = known.ends_N[last_M - 1] - known.starts_N[first_M]
    kept = (peak_M >= calling.enter) & (length_M >= calling.min_length) & (area_M > 0)
    return _Found(first_M[kept], last_M[kept], area_M[kept], peak_M[kept])


def _false_discovery(area_M: Float64, null: Float64, shuffles: int) -> Float64:
    """For each call the expected number of false calls at least as large, over that of calls; never rising with size.

    One false call more is counted than was seen, so that no rate is zero for want of shuffles.
    """
    order = np.argsort(-area_M, kind="stable")
    null = np.sort(null)
    beyond = len(null) - np.searchsorted(null, area_M[order], side="left")
    rates = (beyond + 1) / shuffles / np.arange(1, len(order) + 1)
    fdr_M = np.empty(len(order))
    fdr_M[order] = np.minimum(np.minimum.accumulate(rates[::-1])[::-1], 1.0)
    return fdr_M


def _named(rows: pl.DataFrame, chroms: list[str]) -> pl.DataFrame:
    """The calls by contig, in the order of the genome, and start, each side numbered."""
    order = {chrom: number for number, chrom in enumerate(chroms)}
    rows = rows.sort(pl.col("chrom").replace_strict(order, return_dtype=pl.Int64), "start", "name")
    number = pl.int_range(1, pl.len() + 1).over("name").cast(pl.String)
    return rows.with_columns(name=pl.col("name") + number)
