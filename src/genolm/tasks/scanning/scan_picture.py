"""The figure of a scan: the track along each contig, the called intervals, and genes where an annotation was given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from genolm.arrays import Float32
from genolm.files.atomic import atomic_file
from genolm.genome.annotation.gene_map import CodingGene, read_gene_map
from genolm.genome.bed import read_bed
from genolm.genome.bigwig import BigWig
from genolm.genome.interval import Interval
from genolm.tasks.writing.figure_sheet import (
    FAINT,
    INK,
    NULL,
    OTHER,
    REAL,
    RULE,
    UNDATED,
    Sheet,
    caption_height,
    check_plot,
    style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from genolm.tasks.scanning.scan_outputs import Outputs
    from genolm.tasks.scanning.scan_task import Scan

MOST_CONTIGS = 12
"""Contigs that the figure shows; the longest ones."""

_POINTS = 1_200  # means drawn along a contig
_WIDTH, _LEFT, _RIGHT, _TOP = 10.0, 0.85, 0.25, 0.75
_TRACK, _GENES, _BETWEEN = 1.15, 0.3, 0.55


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a figure shows of one contig.

    Attributes:
        name: the contig.
        values_L: its track, nats per base, NaN where nothing was scored.
        calls: called intervals, 0-based and half-open.
        genes: its coding genes; None where no annotation was given.
    """

    name: str
    values_L: Float32
    calls: tuple[tuple[int, int], ...]
    genes: tuple[CodingGene, ...] | None


def check_scan_plot(out: Path | str | None) -> Path | None:
    """Return the path of a figure, after looking whether it can be made.

    Raises:
        InputError: its ending names no format of pictures.
        RunError: its folder does not exist.
        GenolmError: matplotlib is not installed (extra ``plots``).
    """
    return check_plot(out, ("matplotlib",))


def plot_scan(
    source: Scan | Outputs, lengths: dict[str, int], out: Path, *, genes: Path | None, quantity: str, about: str
) -> None:
    """Draw a scan: for each contig its track as means of equal stretches, the calls, and its coding genes.

    Args:
        source: a scan in memory, or the files that one wrote.
        lengths: bases of every contig.
        out: ``.png``, ``.svg`` or ``.pdf``; replaced when it exists.
        genes: the annotation; None for none.
        quantity: what the track is.
        about: a line below the title.
    """
    from genolm.tasks.scanning.scan_task import Scan

    longest = sorted(lengths, key=lambda name: -lengths[name])[:MOST_CONTIGS]
    shown = [name for name in lengths if name in longest]
    coding = None if genes is None else read_gene_map(genes).on(lengths).coding
    if isinstance(source, Scan):
        rows = source.calls.select("chrom", "start", "end").rows()
        drawn = [_drawn(name, source.values(name), rows, coding) for name in shown]
    else:
        rows = _called(source.calls)
        with BigWig(source.track) as track:
            drawn = [_drawn(name, _values(track, name, lengths[name]), rows, coding) for name in shown]
    _draw(drawn, len(lengths), out, quantity, about)


def _called(path: Path) -> list[tuple[str, int, int]]:
    return [(one.interval.chrom, one.interval.start, one.interval.end) for one in read_bed(path)]


def _values(track: BigWig, name: str, length: int) -> Float32:
    """The values of a contig; a bigWig has no contig without any."""
    return track.values(Interval(name, 0, length)) if name in track.lengths else np.full(length, np.nan, np.float32)


def _drawn(
    name: str, values_L: Float32, calls: Sequence[tuple[str, int, int]], coding: Sequence[CodingGene] | None
) -> Drawn:
    own = tuple((start, end) for chrom, start, end in calls if chrom == name)
    genes = None if coding is None else tuple(gene for gene in coding if gene.interval.chrom == name)
    return Drawn(name, values_L, own, genes)


def _draw(contigs: Sequence[Drawn], count: int, out: Path, quantity: str, about: str) -> None:
    panels = [_TRACK + (_GENES if one.genes is not None else 0) for one in contigs]
    caption = _caption(contigs, count)
    height = _TOP + sum(panels) + _BETWEEN * len(panels) + caption_height(caption, _WIDTH) + 0.1
    with style():
        sheet = Sheet.new(_WIDTH, height, f"{quantity}, nats per base", about)
        top = _TOP
        for one, panel in zip(contigs, panels):
            _contig(sheet, one, top)
            top += panel + _BETWEEN
        sheet.caption(caption)
        with atomic_file(out) as partial:
            sheet.figure.savefig(partial, dpi=200, metadata=UNDATED.get(out.suffix.lower(), {}))


def _contig(sheet: Sheet, contig: Drawn, top: float) -> None:
    width = sheet.width - _LEFT - _RIGHT
    axes = sheet.axes(_LEFT, top, width, _TRACK)
    length = len(contig.values_L)
    places, low, mean, high = _means(contig.values_L)
    scale, unit = _scale(length)
    axes.fill_between(places / scale, low, high, color=REAL, alpha=0.18, linewidth=0)
    axes.plot(places / scale, mean, color=REAL, linewidth=0.8)
    for start, end in contig.calls:
        axes.axvspan(start / scale, end / scale, color=OTHER, alpha=0.22, linewidth=0)
        axes.axvspan(start / scale, end / scale, ymin=0.96, color=OTHER, linewidth=1.2)
    axes.set_xlim(0, length / scale)
    axes.set_ylabel("nats per base", fontsize=7.5)
    axes.set_title(contig.name, loc="left", fontsize=8.5, color=INK, pad=3)
    axes.grid(axis="y", color=RULE, linewidth=0.5)
    axes.tick_params(labelsize=7.5, length=2)
    last = axes
    if contig.genes is not None:
        axes.tick_params(labelbottom=False)
        last = sheet.axes(_LEFT, top + _TRACK, width, _GENES)
        _gene_strip(last, contig, scale)
    last.set_xlabel(unit, fontsize=7.5, labelpad=1)


def _gene_strip(axes: Axes, contig: Drawn, scale: float) -> None:
    """Genes of the forward strand above the line, of the reverse strand below it."""
    for gene in contig.genes or ():
        bars = [(part.start / scale, len(part) / scale) for part in gene.parts]
        colour, low = (NULL, 0.08) if gene.interval.strand == "+" else (FAINT, -0.92)
        axes.broken_barh(bars, (low, 0.84), facecolor=colour, edgecolor="white", linewidth=0.4)
    axes.axhline(0, color=RULE, linewidth=0.6)
    axes.set(xlim=(0, len(contig.values_L) / scale), ylim=(-1.05, 1.05))
    axes.set_yticks([0.5, -0.5], ["+", "−"], fontsize=7.5)
    axes.tick_params(labelsize=7.5, length=2)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _means(values_L: Float32) -> tuple[Float32, Float32, Float32, Float32]:
    """Middles of equal stretches; the mean of each, and the mean less and plus its spread within the stretch.

    A stretch without a value breaks the line.
    """
    edges = np.linspace(0, len(values_L), min(_POINTS, len(values_L)) + 1).astype(np.int64)
    starts = edges[:-1]
    known = ~np.isnan(values_L)
    filled = np.where(known, values_L, 0).astype(np.float64)
    counts = np.add.reduceat(known, starts, dtype=np.int64)
    sums, squares = (np.add.reduceat(one, starts) for one in (filled, filled**2))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = sums / counts
        error = np.sqrt(np.maximum(squares / counts - mean**2, 0) / counts)
    middles = ((edges[:-1] + edges[1:]) / 2).astype(np.float32)
    low, centre, high = (one.astype(np.float32) for one in (mean - error, mean, mean + error))
    return middles, low, centre, high


def _scale(length: int) -> tuple[float, str]:
    """What positions are divided by, and what they are then."""
    if length >= 2_000_000:
        return 1e6, "position, Mb"
    return (1e3, "position, kb") if length >= 2_000 else (1.0, "position, bases")


def _caption(contigs: Sequence[Drawn], count: int) -> str:
    stretch = max((len(one.values_L) / _POINTS for one in contigs), default=1)
    parts = [f"Line: mean of stretches of up to {max(1, round(stretch)):,} bases; band: its standard error."]
    calls = sum(len(one.calls) for one in contigs)
    parts.append(f"Red: the {calls:,} called intervals shown." if calls else "No interval was called.")
    if any(one.genes is not None for one in contigs):
        parts.append("Below: coding genes, + above and − below the line.")
    if count > len(contigs):
        parts.append(f"The {len(contigs)} longest of {count:,} contigs.")
    return " ".join(parts)
