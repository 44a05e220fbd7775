"""Figure of a scan: the track along each contig, the called intervals and annotated genes."""

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
from genolm.genome.contig_names import Synonyms
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
    from genolm.tasks.scanning.scan_task import Scanned

MAX_CONTIGS = 12
"""Maximum number of contigs in the figure, the longest ones."""

_POINTS = 1_200  # points plotted along a contig
_WIDTH, _LEFT, _RIGHT, _TOP = 10.0, 0.85, 0.25, 0.75
_TRACK, _GENES, _BETWEEN = 1.15, 0.3, 0.55


@dataclass(frozen=True, slots=True)
class PlottedContig:
    """A contig in the figure.

    Attributes:
        name: name of the contig.
        values_L: track in nats per base; NaN if missing.
        calls: called intervals, 0-based and half-open.
        genes: coding genes; None without an annotation.
    """

    name: str
    values_L: Float32
    calls: tuple[tuple[int, int], ...]
    genes: tuple[CodingGene, ...] | None


def check_scan_plot(out: Path | str | None) -> Path | None:
    """Return the path of a figure after checking that it can be drawn and written.

    Raises:
        InputError: if the format is not supported.
        RunError: if its folder does not exist.
        GenolmError: if matplotlib is not installed (extra ``plots``).
    """
    return check_plot(out, ("matplotlib",))


def plot_scan(
    source: Scanned | Outputs,
    lengths: dict[str, int],
    out: Path,
    *,
    genes: Path | None,
    quantity: str,
    subtitle: str,
    synonyms: Synonyms = (),
) -> None:
    """Plot a scan: for each contig the track as means of equal spans, the calls and the coding genes.

    Args:
        source: a scan in memory, or the files of a scan.
        lengths: length of each contig in bases.
        out: ``.png``, ``.svg`` or ``.pdf``; an existing file is replaced.
        genes: annotation; None for none.
        quantity: name of the plotted quantity.
        subtitle: line below the title.
        synonyms: further names of the contigs.
    """
    from genolm.tasks.scanning.scan_task import Scanned

    longest = sorted(lengths, key=lambda name: -lengths[name])[:MAX_CONTIGS]
    shown = [name for name in lengths if name in longest]
    coding = None if genes is None else read_gene_map(genes).on(lengths, synonyms).coding
    if isinstance(source, Scanned):
        rows = source.calls.select("chrom", "start", "end").rows()
        contigs = [_plotted(name, source.values(name), rows, coding) for name in shown]
    else:
        rows = _called(source.calls)
        with BigWig(source.track) as track:
            contigs = [_plotted(name, _values(track, name, lengths[name]), rows, coding) for name in shown]
    _draw(contigs, len(lengths), out, quantity, subtitle)


def _called(path: Path) -> list[tuple[str, int, int]]:
    return [(record.interval.chrom, record.interval.start, record.interval.end) for record in read_bed(path)]


def _values(track: BigWig, name: str, length: int) -> Float32:
    """Return the values of a contig; contigs without values are missing from a bigWig."""
    return track.values(Interval(name, 0, length)) if name in track.lengths else np.full(length, np.nan, np.float32)


def _plotted(
    name: str, values_L: Float32, calls: Sequence[tuple[str, int, int]], coding: Sequence[CodingGene] | None
) -> PlottedContig:
    own_calls = tuple((start, end) for chrom, start, end in calls if chrom == name)
    genes = None if coding is None else tuple(gene for gene in coding if gene.interval.chrom == name)
    return PlottedContig(name, values_L, own_calls, genes)


def _draw(contigs: Sequence[PlottedContig], count: int, out: Path, quantity: str, subtitle: str) -> None:
    panels = [_TRACK + (_GENES if contig.genes is not None else 0) for contig in contigs]
    caption = _caption(contigs, count)
    height = _TOP + sum(panels) + _BETWEEN * len(panels) + caption_height(caption, _WIDTH) + 0.1
    with style():
        sheet = Sheet.new(_WIDTH, height, f"{quantity}, nats per base", subtitle)
        top = _TOP
        for contig, panel in zip(contigs, panels):
            _contig(sheet, contig, top)
            top += panel + _BETWEEN
        sheet.caption(caption)
        with atomic_file(out) as partial:
            sheet.figure.savefig(partial, dpi=200, metadata=UNDATED.get(out.suffix.lower(), {}))


def _contig(sheet: Sheet, contig: PlottedContig, top: float) -> None:
    width = sheet.width - _LEFT - _RIGHT
    axes = sheet.axes(_LEFT, top, width, _TRACK)
    length = len(contig.values_L)
    positions, low, mean, high = _means(contig.values_L)
    scale, unit = _scale(length)
    axes.fill_between(positions / scale, low, high, color=REAL, alpha=0.18, linewidth=0)
    axes.plot(positions / scale, mean, color=REAL, linewidth=0.8)
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


def _gene_strip(axes: Axes, contig: PlottedContig, scale: float) -> None:
    """Draw genes of the forward strand above a line and those of the reverse strand below it."""
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
    """Return the centres of equal spans, and for each the mean minus standard error, mean, and mean plus error.

    Spans without values are NaN.
    """
    edges = np.linspace(0, len(values_L), min(_POINTS, len(values_L)) + 1).astype(np.int64)
    starts = edges[:-1]
    known = ~np.isnan(values_L)
    filled = np.where(known, values_L, 0).astype(np.float64)
    counts = np.add.reduceat(known, starts, dtype=np.int64)
    sums, squares = (np.add.reduceat(values, starts) for values in (filled, filled**2))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = sums / counts
        error = np.sqrt(np.maximum(squares / counts - mean**2, 0) / counts)
    centres = ((edges[:-1] + edges[1:]) / 2).astype(np.float32)
    low, centre, high = (values.astype(np.float32) for values in (mean - error, mean, mean + error))
    return centres, low, centre, high


def _scale(length: int) -> tuple[float, str]:
    """Return the divisor of positions and the axis label."""
    if length >= 2_000_000:
        return 1e6, "position, Mb"
    return (1e3, "position, kb") if length >= 2_000 else (1.0, "position, bases")


def _caption(contigs: Sequence[PlottedContig], count: int) -> str:
    span = max((len(contig.values_L) / _POINTS for contig in contigs), default=1)
    parts = [f"Line: mean over spans of up to {max(1, round(span)):,} bases; band: its standard error."]
    calls = sum(len(contig.calls) for contig in contigs)
    parts.append(f"Red: {calls:,} called intervals." if calls else "No called intervals.")
    if any(contig.genes is not None for contig in contigs):
        parts.append("Below: coding genes, + strand above and − strand below the line.")
    if count > len(contigs):
        parts.append(f"Shown: the {len(contigs)} longest of {count:,} contigs.")
    return " ".join(parts)
