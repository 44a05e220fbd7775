"""Plots of saturation mutagenesis: a sequence logo above a heat map of all single-base changes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genolm.errors import InputError
from genolm.files.atomic import atomic_file
from genolm.tasks.writing.figure_sheet import (
    COLOURS,
    EMPTY,
    FAINT,
    INK,
    UNDATED,
    Sheet,
    check_plot,
    colour_bar,
    style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LONGEST = 3000
"""Maximum number of bases in a plot."""

_BASES = "ACGT"
_ROW = 60  # maximum bases per row

# Inches. A block is a logo above its heat map; the gap between blocks holds the position labels.
_CELL, _LOGO, _MAP, _GAP, _BETWEEN = 0.155, 0.95, 0.72, 0.06, 0.5
_LEFT, _RIGHT, _TOP, _BOTTOM = 0.75, 1.15, 0.62, 1.05


@dataclass(frozen=True, slots=True)
class Landscape:
    """Scores of all single-base changes of an interval. P positions, 4 bases in ACGT order.

    Attributes:
        chrom: name of the contig.
        start: position of the first base, 1-based.
        scores_P4: log p(ALT) - log p(REF) in nats; 0 for the reference base; NaN without a score.
        reference_P: index of the reference base; -1 if unknown.
    """

    chrom: str
    start: int
    scores_P4: NDArray[np.float64]
    reference_P: NDArray[np.int64]

    @classmethod
    def of(cls, table: pl.DataFrame) -> Landscape:
        """Return the landscape of a table of :func:`genolm.mutate`.

        Raises:
            InputError: if the table is empty, a column is missing, or there are too many positions for a plot.
        """
        column = next((name for name in table.columns if name.startswith("llr_alt_minus_ref_")), None)
        if column is None or table.is_empty():
            raise InputError("not a table of genolm mutate with at least one row")
        positions = table["pos"].to_numpy()
        start, length = int(positions.min()), int(positions.max() - positions.min()) + 1
        check_length(length, "plot a part of the table")
        scores_P4, reference_P = np.full((length, 4), np.nan), np.full(length, -1)
        changes = table.select("pos", "ref", "alt", pl.col(column).cast(pl.Float32))  # text tables are read as float64
        for pos, ref, alt, score in changes.iter_rows():
            scores_P4[pos - start, _BASES.index(alt)] = np.nan if score is None else score
            reference_P[pos - start] = _BASES.index(ref)
        known = reference_P >= 0
        scores_P4[known, reference_P[known]] = 0.0
        return cls(table["chrom"][0], start, scores_P4, reference_P)

    def __len__(self) -> int:
        """Number of positions."""
        return len(self.reference_P)

    @property
    def title(self) -> str:
        """Interval, 1-based and inclusive."""
        return f"{self.chrom}:{self.start:,}–{self.start + len(self) - 1:,}"

    def information(self) -> NDArray[np.float64]:
        """Return letter heights in bits, (P, 4): p (2 - entropy) with p proportional to exp(score); 0 if unknown."""
        complete = ~np.isnan(self.scores_P4).any(1, keepdims=True)
        scores_P4 = np.where(complete, self.scores_P4, 0.0)
        weights_P4 = np.exp(scores_P4 - scores_P4.max(1, keepdims=True))
        p_P4 = weights_P4 / weights_P4.sum(1, keepdims=True)
        entropy_P1 = -(p_P4 * np.log2(np.maximum(p_P4, 1e-300))).sum(1, keepdims=True)
        return np.where(complete, p_P4 * np.maximum(2.0 - entropy_P1, 0.0), 0.0)

    def limit(self) -> float:
        """Return the end of the colour scale in nats: the 99 % quantile of the effects, robust to outliers."""
        known = np.abs(self.scores_P4[~np.isnan(self.scores_P4)])
        effects = known[known > 0]
        return float(np.quantile(effects, 0.99)) if effects.size else 1.0


def check_length(bases: int, remedy: str) -> None:
    """Check the length of a plot.

    Raises:
        InputError: if it exceeds `LONGEST` bases; the message ends with the remedy.
    """
    if bases > LONGEST:
        raise InputError(f"a plot is limited to {LONGEST:,} bases, not {bases:,}", remedy=remedy)


def plot_mutations(table: pl.DataFrame, out: Path | str, *, subtitle: str = "") -> None:
    """Plot a table of :func:`genolm.mutate`: a logo above a heat map, in rows of equal length, at most 60 bases.

    The logo shows the distribution of bases implied by the scores (probability proportional to exp(score)); the height
    of a stack is its information, 2 bits minus the entropy. The heat map shows the scores, white at 0.

    Args:
        table: result of ``mutate``.
        out: ``.png``, ``.svg`` or ``.pdf``; an existing file is replaced.
        subtitle: second line of the title, such as model and method.

    Raises:
        InputError: if the table is not one of ``mutate`` or too long, or the format is not supported.
        GenolmError: if matplotlib or logomaker is not installed.
    """
    path = check_plot(out)
    assert path is not None
    figure = draw(Landscape.of(table), subtitle)
    with atomic_file(path) as partial, style():
        figure.savefig(partial, dpi=200, metadata=UNDATED.get(path.suffix.lower(), {}))


def draw(landscape: Landscape, subtitle: str = "") -> Figure:
    """Return the plot as a matplotlib figure."""
    blocks = math.ceil(len(landscape) / _ROW)
    per_row = math.ceil(len(landscape) / blocks)  # equal rows; the last may be a few bases shorter
    width = max(6.5, _LEFT + per_row * _CELL + _RIGHT)
    height = _TOP + blocks * (_LOGO + _GAP + _MAP) + (blocks - 1) * _BETWEEN + _BOTTOM
    with style():
        sheet = Sheet.blank(width, height)
        _head_and_caption(sheet.figure, landscape, subtitle)
        tallest = max(0.1, float(landscape.information().sum(1).max()) * 1.05)
        for block in range(blocks):
            _block(sheet, landscape, block * per_row, per_row, _top_of(block), tallest)
        _scale(sheet, landscape.limit())
    return sheet.figure


def _top_of(block: int) -> float:
    """Return the distance of a block from the top of the figure in inches."""
    return _TOP + block * (_LOGO + _GAP + _MAP + _BETWEEN)


def _block(sheet: Sheet, landscape: Landscape, first: int, per_row: int, top: float, tallest: float) -> None:
    """Draw one row of the plot: the positions from ``first`` on."""
    span = slice(first, first + per_row)
    cell = (sheet.width - _LEFT - _RIGHT) / per_row
    width = cell * len(landscape.reference_P[span])
    _logo(sheet.axes(_LEFT, top, width, _LOGO), landscape.information()[span], tallest)
    _heat_map(sheet.axes(_LEFT, top + _LOGO + _GAP, width, _MAP), landscape, span)


def _logo(axes: Axes, heights_P4: NDArray[np.float64], tallest: float) -> None:
    import logomaker
    import pandas  # type: ignore[import-untyped]

    frame = pandas.DataFrame(heights_P4, columns=list(_BASES))
    logomaker.Logo(frame, ax=axes, color_scheme=COLOURS, show_spines=False, width=0.94, vpad=0.01)
    axes.set(xlim=(-0.5, len(frame) - 0.5), ylim=(0, tallest), xticks=[])
    axes.spines["left"].set_visible(True)
    axes.set_ylabel("bits", fontsize=9, color=INK)
    axes.yaxis.set_major_locator(_few_ticks())
    axes.tick_params(axis="y", labelsize=8, length=2, colors=FAINT)


def _few_ticks() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=3, steps=[1, 2, 5, 10])


def _heat_map(axes: Axes, landscape: Landscape, span: slice) -> None:
    scores_P4, reference_P = landscape.scores_P4[span], landscape.reference_P[span]
    limit = landscape.limit()
    axes.set_facecolor(EMPTY)
    axes.imshow(scores_P4.T, cmap="RdBu", vmin=-limit, vmax=limit, aspect="auto", interpolation="none")
    known = np.flatnonzero(reference_P >= 0)
    axes.plot(known, reference_P[known], "o", markersize=2.2, color=INK, markeredgewidth=0)
    axes.set_yticks(range(4), list(_BASES), fontsize=8, fontfamily="monospace")
    first = landscape.start + span.start
    positions = [first + offset for offset in range(len(reference_P)) if (first + offset) % 10 == 0 or offset == 0]
    labelled = [position for position in positions if position == first or position - first >= 7]
    labels = [f"{position:,}" for position in labelled]
    axes.set_xticks([position - first for position in labelled], labels, fontsize=7.5)
    axes.set_xticks(np.arange(len(reference_P) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(5) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=0.5)
    axes.tick_params(which="both", length=0, colors=INK)
    axes.tick_params(axis="x", which="major", length=3, color=FAINT)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _scale(sheet: Sheet, limit: float) -> None:
    """Draw the colour bar of the heat maps."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    position = sheet.width - _RIGHT + 0.22, _top_of(0) + 0.1, 0.13, _LOGO + _GAP + _MAP - 0.1
    colours = ScalarMappable(Normalize(-limit, limit), "RdBu")
    colour_bar(sheet, colours, "log p(ALT) − log p(REF), nats", position, extend="both")


def _head_and_caption(figure: Figure, landscape: Landscape, subtitle: str) -> None:
    width, height = figure.get_size_inches()
    figure.text(_LEFT / width, 1 - 0.2 / height, landscape.title, fontsize=12, weight="bold", va="center")
    if subtitle:
        figure.text(_LEFT / width, 1 - 0.42 / height, subtitle, fontsize=8.5, color=FAINT, va="center")
    characters = int((width - _LEFT - 0.2) * 17.0)
    text = "\n".join(fill(line, characters) for line in _CAPTION)
    figure.text(_LEFT / width, 0.1 / height, text, fontsize=7.5, color=FAINT, va="bottom", linespacing=1.35)


_CAPTION = (
    "Heat map: score of replacing the reference base (dot) by each base. Red, negative: less likely under the model; "
    "blue, positive: more likely; grey: no score.",
    "Logo: the distribution of bases implied by these scores, probability proportional to exp(score); the height of a "
    "stack is its information, 2 bits minus the entropy.",
)
