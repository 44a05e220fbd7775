"""Figures along a region of a genome: coordinate axis, genes in rows, heat maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genolm.tasks.explain.gene_annotation import Gene
from genolm.tasks.writing.figure_sheet import EMPTY, FAINT, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_BINS = 900
_GENE_ROW = 0.24  # inches
_MAX_GENE_ROWS = 5
_LETTER = 0.075  # inches per letter of a gene's name


@dataclass(frozen=True, slots=True)
class Region:
    """A region to draw from left to right, 0-based and half-open, on the forward strand."""

    chrom: str
    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start

    @property
    def title(self) -> str:
        """The region in browser notation, 1-based and inclusive."""
        return f"{self.chrom}:{self.start + 1:,}–{self.end:,}"

    def frame(self, axes: Axes, *, labelled: bool) -> None:
        """Set the limits and ticks of an axis to the region.

        Args:
            axes: axes to set.
            labelled: whether tick labels and an axis title are drawn.
        """
        from matplotlib.ticker import FuncFormatter, MaxNLocator

        axes.set_xlim(self.start + 0.5, self.end + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True, steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda position, _: f"{position:,.0f}"))
        axes.tick_params(axis="x", length=2.5, labelbottom=labelled, labelsize=7.5)
        if labelled:
            axes.set_xlabel(f"position on {self.chrom}, 1-based, bp", fontsize=8)


def gene_rows(genes: Sequence[Gene], region: Region, width: float, *, mirrored: bool = False) -> list[list[Gene]]:
    """Arrange genes in rows without overlap, names included; genes that do not fit are left out.

    Args:
        genes: genes in any order.
        region: the region to draw.
        width: width of the drawing in inches.
        mirrored: whether coordinates decrease from left to right.
    """
    per_inch = len(region) / width
    rows: list[list[Gene]] = []
    ends: list[float] = []
    for gene in sorted(genes, key=lambda gene: _visible(gene, region, mirrored)):
        start, end = _visible(gene, region, mirrored)
        reach = max(end, start + (len(gene.name) + 3) * _LETTER * per_inch)
        for number, reached in enumerate(ends):
            if start > reached:
                rows[number].append(gene)
                ends[number] = reach
                break
        else:
            if len(rows) < _MAX_GENE_ROWS:
                rows.append([gene])
                ends.append(reach)
    return rows


def _visible(gene: Gene, region: Region, mirrored: bool) -> tuple[int, int]:
    """Return the visible part of a gene in bases from the left edge."""
    first = max(gene.interval.start, region.start) - region.start
    last = min(gene.interval.end, region.end) - region.start
    return (len(region) - last, len(region) - first) if mirrored else (first, last)


def genes_height(rows: Sequence[Sequence[Gene]]) -> float:
    """Return the height of the gene rows in inches."""
    return _GENE_ROW * len(rows)


def draw_genes(axes: Axes, rows: Sequence[Sequence[Gene]], region: Region, *, mirrored: bool = False) -> None:
    """Draw introns as lines, exons as bars and coding exons as thicker bars; arrows show the strand.

    Args:
        axes: axes to draw on.
        rows: genes from :func:`gene_rows`.
        region: the region to draw.
        mirrored: whether coordinates decrease from left to right, as for the reverse strand.
    """
    for level, row in enumerate(rows):
        for gene in row:
            _gene(axes, gene, -level, region, mirrored)
    axes.set_ylim(-len(rows) + 0.35, 0.75)
    region.frame(axes, labelled=False)
    if mirrored:
        axes.invert_xaxis()
    axes.set(yticks=[], ylabel="genes")
    axes.yaxis.label.set(rotation=0, ha="right", va="center", fontsize=8)
    axes.tick_params(axis="x", length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _gene(axes: Axes, gene: Gene, level: int, region: Region, mirrored: bool) -> None:
    first, last = max(gene.interval.start, region.start), min(gene.interval.end, region.end)
    axes.plot([first + 0.5, last + 0.5], [level, level], color=INK, linewidth=0.9, solid_capstyle="butt")
    for parts, height in ((gene.exons, 0.34), (gene.coding, 0.5)):
        for part in parts:
            if part.start < region.end and part.end > region.start:
                axes.broken_barh([(part.start + 0.5, len(part))], (level - height / 2, height), color=INK, linewidth=0)
    arrow = f"{gene.name} ›" if (gene.interval.strand == "+") != mirrored else f"‹ {gene.name}"
    axes.text(
        (last if mirrored else first) + 0.5,
        level + 0.27,
        arrow,
        fontsize=6.5,
        color=FAINT,
        va="bottom",
        ha="left",
        clip_on=False,
    )


def binned(values_L: NDArray[np.float32], bins: int = MAX_BINS) -> NDArray[np.float64]:
    """Return the means of at most ``bins`` equal bins; NaN for a bin without values."""
    count = min(bins, len(values_L))
    edges = np.linspace(0, len(values_L), count + 1).astype(np.int64)[:-1]
    known = ~np.isnan(values_L)
    total = np.add.reduceat(np.where(known, values_L, 0).astype(np.float64), edges)
    number = np.add.reduceat(known.astype(np.float64), edges)
    return np.asarray(np.divide(total, number, out=np.full(count, np.nan), where=number > 0))


def draw_heat(
    axes: Axes,
    rows: NDArray[np.float64],
    names: Sequence[str],
    region: Region,
    limits: tuple[float, float],
    colours: str,
    *,
    log: bool = False,
) -> Any:
    """Draw a heat map along the region with one named row per line of ``rows``; return the image for a colour bar."""
    from matplotlib import colormaps
    from matplotlib.colors import LogNorm, Normalize

    shades = colormaps[colours].with_extremes(bad=EMPTY)
    extent = (region.start + 0.5, region.end + 0.5, len(rows) - 0.5, -0.5)
    scale = (LogNorm if log else Normalize)(*limits, clip=True)
    image = axes.imshow(rows, cmap=shades, norm=scale, aspect="auto", interpolation="none", extent=extent)
    axes.set_yticks(range(len(rows)), list(names), fontsize=7)
    axes.tick_params(axis="y", length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return image
