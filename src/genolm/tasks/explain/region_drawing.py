"""Pictures along a stretch of a genome: its axis, genes in rows, heat maps."""

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

MOST_BINS = 900
_GENE_ROW = 0.24  # inches
_MOST_GENE_ROWS = 5
_LETTER = 0.075  # inches of one letter of a gene's name


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is drawn from left to right: bases ``start`` to ``end`` (0-based, half-open) of the forward strand."""

    chrom: str
    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start

    @property
    def title(self) -> str:
        """1-based and inclusive, as a browser shows it."""
        return f"{self.chrom}:{self.start + 1:,}–{self.end:,}"

    def frame(self, axes: Axes, *, labelled: bool) -> None:
        """Gives an axis the stretch's positions, with or without their labels."""
        from matplotlib.ticker import FuncFormatter, MaxNLocator

        axes.set_xlim(self.start + 0.5, self.end + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True, steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda place, _: f"{place:,.0f}"))
        axes.tick_params(axis="x", length=2.5, labelbottom=labelled, labelsize=7.5)
        if labelled:
            axes.set_xlabel(f"position on {self.chrom}, 1-based, bp", fontsize=8)


def gene_rows(genes: Sequence[Gene], stretch: Stretch, width: float, *, mirrored: bool = False) -> list[list[Gene]]:
    """Genes in rows without overlap, their names included; those that find no room are left out.

    Args:
        genes: in any order.
        stretch: what is drawn.
        width: inches that it is drawn in.
        mirrored: whether coordinates fall from left to right.
    """
    per_inch = len(stretch) / width
    rows: list[list[Gene]] = []
    ends: list[float] = []
    for gene in sorted(genes, key=lambda gene: _seen(gene, stretch, mirrored)):
        start, end = _seen(gene, stretch, mirrored)
        reach = max(end, start + (len(gene.name) + 3) * _LETTER * per_inch)
        for number, reached in enumerate(ends):
            if start > reached:
                rows[number].append(gene)
                ends[number] = reach
                break
        else:
            if len(rows) < _MOST_GENE_ROWS:
                rows.append([gene])
                ends.append(reach)
    return rows


def _seen(gene: Gene, stretch: Stretch, mirrored: bool) -> tuple[int, int]:
    """Bases from the left edge to the ends of what is seen of a gene."""
    first = max(gene.interval.start, stretch.start) - stretch.start
    last = min(gene.interval.end, stretch.end) - stretch.start
    return (len(stretch) - last, len(stretch) - first) if mirrored else (first, last)


def genes_height(rows: Sequence[Sequence[Gene]]) -> float:
    """Inches that the rows of genes take."""
    return _GENE_ROW * len(rows)


def draw_genes(axes: Axes, rows: Sequence[Sequence[Gene]], stretch: Stretch, *, mirrored: bool = False) -> None:
    """Introns as lines, exons as bars, coding exons as thicker ones; an arrow tells which way a gene is read.

    Mirrored, coordinates fall from left to right, as a reverse strand is read.
    """
    for level, row in enumerate(rows):
        for gene in row:
            _gene(axes, gene, -level, stretch, mirrored)
    axes.set_ylim(-len(rows) + 0.35, 0.75)
    stretch.frame(axes, labelled=False)
    if mirrored:
        axes.invert_xaxis()
    axes.set(yticks=[], ylabel="genes")
    axes.yaxis.label.set(rotation=0, ha="right", va="center", fontsize=8)
    axes.tick_params(axis="x", length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _gene(axes: Axes, gene: Gene, level: int, stretch: Stretch, mirrored: bool) -> None:
    first, last = max(gene.interval.start, stretch.start), min(gene.interval.end, stretch.end)
    axes.plot([first + 0.5, last + 0.5], [level, level], color=INK, linewidth=0.9, solid_capstyle="butt")
    for parts, height in ((gene.exons, 0.34), (gene.coding, 0.5)):
        for part in parts:
            if part.start < stretch.end and part.end > stretch.start:
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


def binned(values_L: NDArray[np.float32], bins: int = MOST_BINS) -> NDArray[np.float64]:
    """Means of at most so many equal stretches of bases; NaN where a stretch has no value."""
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
    stretch: Stretch,
    limits: tuple[float, float],
    colours: str,
    *,
    log: bool = False,
) -> Any:
    """A heat map along the stretch, a named row for each line of ``rows``; returns the image for a colour bar."""
    from matplotlib import colormaps
    from matplotlib.colors import LogNorm, Normalize

    shades = colormaps[colours].with_extremes(bad=EMPTY)
    extent = (stretch.start + 0.5, stretch.end + 0.5, len(rows) - 0.5, -0.5)
    scale = (LogNorm if log else Normalize)(*limits, clip=True)
    image = axes.imshow(rows, cmap=shades, norm=scale, aspect="auto", interpolation="none", extent=extent)
    axes.set_yticks(range(len(rows)), list(names), fontsize=7)
    axes.tick_params(axis="y", length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return image
