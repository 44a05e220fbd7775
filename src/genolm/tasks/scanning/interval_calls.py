"""Calls of intervals with a high or low track, with a null of shuffled blocks.

The track is averaged over bins, smoothed over a window and standardised. A call is a run of bins beyond the lower of
two thresholds that exceeds the higher threshold somewhere (hysteresis). The null is the same track with shuffled
blocks, which keeps the values and the structure within a block, but none beyond. The calls of at least the same size in
shuffled tracks give the false discovery rate. N bins, M calls.
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
"""Side of the calls: above the mean of the track, below it, both, or no calls."""

Int64 = NDArray[np.int64]
_PER_WINDOW = 25  # bins per smoothing window
_SPREAD_SHUFFLES = 10  # shuffles for the standard deviation of the null
_MIN_BLOCKS = 20  # fewer blocks make no useful null
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
"""Columns of the calls, in BED order."""


@dataclass(frozen=True, slots=True)
class Calling:
    """Settings for calling intervals.

    Attributes:
        side: side of the calls.
        smooth: approximate length of the smoothing window in bases.
        enter: z-score that a call must reach somewhere.
        leave: z-score that a call must keep throughout.
        min_length: minimum length of a call in bases.
        max_fdr: maximum false discovery rate of a call.
        block: approximate length of the shuffled blocks in bases.
        shuffles: number of shuffled tracks.
        seed: random seed of the shuffling.

    Raises:
        InputError: if a setting is out of range.
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
            raise InputError(f"side must be one of {', '.join(get_args(Side))}", value=self.side)
        for name in ("smooth", "min_length", "block", "shuffles"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1", value=getattr(self, name))
        if not 0 <= self.leave <= self.enter:
            raise InputError("leave must be from 0 to enter", value=(self.leave, self.enter))
        if not 0 <= self.max_fdr <= 1:
            raise InputError("max_fdr must be from 0 to 1", value=self.max_fdr)
        check_seed(self.seed)

    @property
    def bin(self) -> int:
        """Length of a bin in bases."""
        return max(1, self.smooth // _PER_WINDOW)

    @property
    def half(self) -> int:
        """Number of bins of the smoothing window on either side of its centre."""
        return self.smooth // self.bin // 2

    @property
    def block_bins(self) -> int:
        """Number of bins of a shuffled block."""
        return max(1, self.block // self.bin)


class _Runs(NamedTuple):
    """Bins with enough values, in runs without gaps that are smoothed separately.

    Attributes:
        sums_N: sum of the values of a bin.
        counts_N: number of values of a bin.
        first_N: first bin of the run of a bin.
        after_N: bin after the last bin of the run.
        chroms: contig of each run, by its first bin.
        starts_N: position of the first base of a bin on its contig.
        ends_N: position after its last base.
    """

    sums_N: Float64
    counts_N: Float64
    first_N: Int64
    after_N: Int64
    chroms: dict[int, str]
    starts_N: Int64
    ends_N: Int64


class _Calls(NamedTuple):
    """Calls of one track: bins (half-open), summed excess over the mean in nats, and peak z-score."""

    first_M: Int64
    last_M: Int64
    area_M: Float64
    peak_M: Float64


def call(contigs: Iterable[tuple[str, Float32]], calling: Calling) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Call intervals of a genome.

    Args:
        contigs: name and values of each contig; NaN if missing.
        calling: settings.

    Returns:
        The calls sorted by contig and start, with the columns of :data:`COLUMNS`: ``depth`` is the mean of the track in
        the interval minus the mean of the complete track; ``fdr`` is the number of calls of at least that area (length
        times depth) expected in a shuffled track, divided by the number observed. And a report: mean and standard
        deviation of the null, counts.
    """
    no_calls = pl.DataFrame(schema=COLUMNS)
    if calling.side == "none":
        return no_calls, {"side": "none"}
    runs = _runs(contigs, calling)
    blocks = len(runs.sums_N) // calling.block_bins
    if blocks < _MIN_BLOCKS:
        return no_calls, {"calls": 0, "not_called_because": f"{blocks} blocks are too few for a null"}
    mean = float(runs.sums_N.sum() / runs.counts_N.sum())
    runs = runs._replace(sums_N=runs.sums_N - mean * runs.counts_N)
    spread = _null_spread(runs, calling)
    if not spread > 0:
        return no_calls, {"calls": 0, "not_called_because": "the track is the same everywhere"}
    sides = [sign for sign, side in ((1, "high"), (-1, "low")) if calling.side in (side, "both")]
    frames, false = zip(*(_called(runs, calling, spread, sign) for sign in sides))
    rows = _named(pl.concat(frames), list(dict.fromkeys(runs.chroms.values())))
    report = {
        "calls": len(rows),
        "mean": mean,
        "null_spread": spread,
        "bin_bases": calling.bin,
        "smoothing_bases": (2 * calling.half + 1) * calling.bin,
        "block_bases": calling.block_bins * calling.bin,
        "bases_looked_at": int(runs.counts_N.sum()),
        "calls_per_shuffled_track": {
            "high" if sign > 0 else "low": count for sign, count in zip(sides, false, strict=True)
        },
    }
    return rows, report


def write_bed(rows: pl.DataFrame, path: Path, depth: str) -> None:
    """Write calls as BED6+4 with a header line of column names that begins with ``#``.

    Args:
        rows: calls as returned by :func:`call`.
        path: output path.
        depth: name of the column ``depth`` in the file.
    """
    lines = ["#" + "\t".join(depth if name == "depth" else name for name in COLUMNS)]
    for row in rows.iter_rows(named=True):
        values = {**row, **{name: f"{row[name]:.6g}" for name in ("depth", "peak_z", "fdr")}}
        lines.append("\t".join(str(values[name]) for name in COLUMNS))
    write_text(path, "".join(f"{line}\n" for line in lines))


def _runs(contigs: Iterable[tuple[str, Float32]], calling: Calling) -> _Runs:
    """Return the bins of all contigs, without runs shorter than half a smoothing window."""
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
    return _Runs(sums_N, counts_N, first_N, after_N, chroms, starts_N, ends_N)


def _binned(values: Float32, width: int) -> tuple[Float64, Float64]:
    """Return the sum and the number of known values of each bin; the last bin may be short."""
    known = ~np.isnan(values)
    borders = np.arange(0, len(values), width)
    sums = np.add.reduceat(np.where(known, values, 0).astype(np.float64), borders)
    return sums, np.add.reduceat(known.astype(np.float64), borders)


def _smoothed(sums_N: Float64, counts_N: Float64, runs: _Runs, half: int) -> Float64:
    """Return the mean over the window around each bin, within the run of the bin."""
    bins = np.arange(len(sums_N))
    low, high = np.maximum(bins - half, runs.first_N), np.minimum(bins + half + 1, runs.after_N)
    sums, counts = (np.concatenate(([0.0], np.cumsum(column))) for column in (sums_N, counts_N))
    return np.asarray((sums[high] - sums[low]) / (counts[high] - counts[low]))


def _shuffled(runs: _Runs, calling: Calling, number: int) -> tuple[Float64, Float64]:
    """Return sums and counts with shuffled blocks; the block boundaries have a random offset."""
    random = np.random.default_rng((calling.seed, number))
    bins, width = len(runs.sums_N), calling.block_bins
    order = random.permutation(math.ceil(bins / width))
    indices = (order[:, None] * width + np.arange(width)).ravel()
    indices = (indices[indices < bins] + random.integers(bins)) % bins
    return runs.sums_N[indices], runs.counts_N[indices]


def _null_spread(runs: _Runs, calling: Calling) -> float:
    """Return the standard deviation of smoothed shuffled tracks."""
    shuffled = (_shuffled(runs, calling, number) for number in range(min(_SPREAD_SHUFFLES, calling.shuffles)))
    variances = [float(_smoothed(*pair, runs, calling.half).var()) for pair in shuffled]
    return math.sqrt(sum(variances) / len(variances))


def _called(runs: _Runs, calling: Calling, spread: float, sign: int) -> tuple[pl.DataFrame, float]:
    """Return the calls of one side, and the mean number of calls in a shuffled track."""
    calls = _calls(runs.sums_N, runs.counts_N, runs, calling, spread, sign)
    null = [
        _calls(*_shuffled(runs, calling, number), runs, calling, spread, sign).area_M
        for number in range(calling.shuffles)
    ]
    fdr_M = _false_discovery(calls.area_M, np.concatenate(null), calling.shuffles)
    false = sum(map(len, null)) / calling.shuffles
    kept = fdr_M <= calling.max_fdr
    first, last = calls.first_M[kept], calls.last_M[kept]
    starts, ends = runs.starts_N[first], runs.ends_N[last - 1]
    counts = np.concatenate(([0.0], np.cumsum(runs.counts_N)))
    columns = {
        "chrom": [runs.chroms[int(runs.first_N[bin])] for bin in first],
        "start": starts,
        "end": ends,
        "name": ["high" if sign > 0 else "low"] * len(first),
        "score": np.rint(1000 * (1 - fdr_M[kept])).astype(np.int64),
        "strand": ["."] * len(first),
        "length": ends - starts,
        "depth": sign * calls.area_M[kept] / (counts[last] - counts[first]),
        "peak_z": sign * calls.peak_M[kept],
        "fdr": fdr_M[kept],
    }
    return pl.DataFrame(columns, schema=COLUMNS), false


def _calls(sums_N: Float64, counts_N: Float64, runs: _Runs, calling: Calling, spread: float, sign: int) -> _Calls:
    """Return the spans with z of at least ``leave`` that reach ``enter`` and are long enough."""
    z_N = sign * _smoothed(sums_N, counts_N, runs, calling.half) / spread
    above_N = z_N >= calling.leave
    at_border_N = runs.first_N == np.arange(len(z_N))
    begins_N = above_N & (np.concatenate(([True], ~above_N[:-1])) | at_border_N)
    first_M = np.flatnonzero(begins_N)
    if not len(first_M):
        return _Calls(first_M, first_M, np.empty(0), np.empty(0))
    ends_N = above_N & np.concatenate((~above_N[1:] | at_border_N[1:], [True]))
    last_M = np.flatnonzero(ends_N) + 1
    peak_M = np.maximum.reduceat(np.where(above_N, z_N, -np.inf), first_M)
    totals = np.concatenate(([0.0], np.cumsum(sign * sums_N)))
    area_M = totals[last_M] - totals[first_M]
    length_M = runs.ends_N[last_M - 1] - runs.starts_N[first_M]
    kept = (peak_M >= calling.enter) & (length_M >= calling.min_length) & (area_M > 0)
    return _Calls(first_M[kept], last_M[kept], area_M[kept], peak_M[kept])


def _false_discovery(area_M: Float64, null: Float64, shuffles: int) -> Float64:
    """Return for each call the expected number of false calls of at least its area, divided by the number of calls.

    The rates are monotonic in area. One false call is added, so that no rate is zero for lack of shuffles.
    """
    order = np.argsort(-area_M, kind="stable")
    null = np.sort(null)
    beyond = len(null) - np.searchsorted(null, area_M[order], side="left")
    rates = (beyond + 1) / shuffles / np.arange(1, len(order) + 1)
    fdr_M = np.empty(len(order))
    fdr_M[order] = np.minimum(np.minimum.accumulate(rates[::-1])[::-1], 1.0)
    return fdr_M


def _named(rows: pl.DataFrame, chroms: list[str]) -> pl.DataFrame:
    """Return the calls in the order of contigs and positions, with numbered names per side."""
    order = {chrom: number for number, chrom in enumerate(chroms)}
    rows = rows.sort(pl.col("chrom").replace_strict(order, return_dtype=pl.Int64), "start", "name")
    number = pl.int_range(1, pl.len() + 1).over("name").cast(pl.String)
    return rows.with_columns(name=pl.col("name") + number)
