"""The picture of saturation mutagenesis: a sequence logo above a heat map of every single-base change."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genolm.errors import InputError
from genolm.files.atomic import atomic_file
from genolm.tasks.writing.figure_sheet import COLOURS, UNDATED, check_plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LONGEST = 3000
"""Most bases that a picture shows."""

_BASES = "ACGT"
_ROW = 60  # most bases side by side

_INK, _FAINT, _EMPTY = "#222222", "#666666", "#ececec"
# Inches. A block is a logo over its heat map; between blocks there is room for the labels of the positions.
_CELL, _LOGO, _MAP, _GAP, _BETWEEN = 0.155, 0.95, 0.72, 0.06, 0.5
_LEFT, _RIGHT, _TOP, _BOTTOM = 0.75, 1.15, 0.62, 1.05


@dataclass(frozen=True, slots=True)
class Landscape:
    """Scores of all single-base changes of an interval. P positions, 4 bases in ACGT order.

    Attributes:
        chrom: name of the contig.
        start: position of the first base, 1-based.
        scores_P4: log p(ALT) - log p(REF), nats; 0 for the reference base; NaN where there is no score.
        reference_P: number of the reference base; -1 where it is unknown.
    """

    chrom: str
    start: int
    scores_P4: NDArray[np.float64]
    reference_P: NDArray[np.int64]

    @classmethod
    def of(cls, table: pl.DataFrame) -> Landscape:
        """The landscape in a table of :func:`genolm.mutate`.

        Raises:
            InputError: no rows, a column missing, or more positions than a picture shows.
        """
        column = next((name for name in table.columns if name.startswith("llr_alt_minus_ref_")), None)
        if column is None or table.is_empty():
            raise InputError("a plot needs a table of genolm mutate, with at least one row")
        positions = table["pos"].to_numpy()
        start, length = int(positions.min()), int(positions.max() - positions.min()) + 1
        check_length(length, "take a part of the table")
        scores_P4, reference_P = np.full((length, 4), np.nan), np.full(length, -1)
        changes = table.select("pos", "ref", "alt", pl.col(column).cast(pl.Float32))  # a text table is read as float64
        for pos, ref, alt, score in changes.iter_rows():
            scores_P4[pos - start, _BASES.index(alt)] = np.nan if score is None else score
            reference_P[pos - start] = _BASES.index(ref)
        known = reference_P >= 0
        scores_P4[known, reference_P[known]] = 0.0
        return cls(table["chrom"][0], start, scores_P4, reference_P)

    def __len__(self) -> int:
        """Positions."""
        return len(self.reference_P)

    @property
    def title(self) -> str:
        """The interval, 1-based and inclusive."""
        return f"{self.chrom}:{self.start:,}–{self.start + len(self) - 1:,}"

    def information(self) -> NDArray[np.float64]:
        """Heights of the letters, bits, (P, 4): p times (2 - entropy), p proportional to exp(score); 0 if unknown."""
        whole = ~np.isnan(self.scores_P4).any(1, keepdims=True)
        scores_P4 = np.where(whole, self.scores_P4, 0.0)
        weights_P4 = np.exp(scores_P4 - scores_P4.max(1, keepdims=True))
        p_P4 = weights_P4 / weights_P4.sum(1, keepdims=True)
        entropy_P1 = -(p_P4 * np.log2(np.maximum(p_P4, 1e-300))).sum(1, keepdims=True)
        return np.where(whole, p_P4 * np.maximum(2.0 - entropy_P1, 0.0), 0.0)

    def limit(self) -> float:
        """End of the colour scale, nats: nearly the largest effect, so that one outlier does not bleach the rest."""
        known = np.abs(self.scores_P4[~np.isnan(self.scores_P4)])
        effects = known[known > 0]
        return float(np.quantile(effects, 0.99)) if effects.size else 1.0


def check_length(bases: int, remedy: str) -> None:
    """Refuse a plot of more bases than it can show.

    Raises:
        InputError: it is longer than `LONGEST`; the message ends with the remedy.
    """
    if bases > LONGEST:
        raise InputError(f"a plot shows at most {LONGEST:,} bases, not {bases:,}; {remedy}")


def plot_mutations(table: pl.DataFrame, out: Path | str, *, subtitle: str = "") -> None:
    """Draws a table of :func:`genolm.mutate`: a logo above a heat map, in rows of equal length, at most 60 bases.

    The logo shows the distribution of bases that the scores imply (probability proportional to exp(score)); the height
    of a stack is its information, 2 bits minus the entropy. The heat map shows the scores themselves, white at 0.

    Args:
        table: what ``mutate`` returned or wrote.
        out: ``.png``, ``.svg`` or ``.pdf``; replaced when it exists.
        subtitle: a second line under the interval, such as model and method.

    Raises:
        InputError: a table that is not of ``mutate`` or too long, an output of another kind.
        GenolmError: matplotlib or logomaker is not installed.
    """
    path = check_plot(out)
    assert path is not None
    figure = draw(Landscape.of(table), subtitle)
    with atomic_file(path) as partial, _style():
        figure.savefig(partial, dpi=200, metadata=UNDATED.get(path.suffix.lower(), {}))


def draw(landscape: Landscape, subtitle: str = "") -> Figure:
    """The picture, as a figure of matplotlib."""
    from matplotlib.figure import Figure

    blocks = math.ceil(len(landscape) / _ROW)
    per_row = math.ceil(len(landscape) / blocks)  # rows of one length, the last at most a few bases shorter
    width = max(6.5, _LEFT + per_row * _CELL + _RIGHT)
    height = _TOP + blocks * (_LOGO + _GAP + _MAP) + (blocks - 1) * _BETWEEN + _BOTTOM
    with _style():
        figure = Figure(figsize=(width, height), facecolor="white")
        _head_and_caption(figure, landscape, subtitle)
        tallest = max(0.1, float(landscape.information().sum(1).max()) * 1.05)
        for block in range(blocks):
            _block(figure, landscape, block * per_row, per_row, _top_of(block), tallest)
        _colour_bar(figure, landscape.limit())
    return figure


def _style() -> AbstractContextManager[None]:
    """Settings of matplotlib that a user's own must not change."""
    import matplotlib

    return matplotlib.rc_context({"font.family": "DejaVu Sans", "svg.hashsalt": "genolm", "text.color": _INK})


def _top_of(block: int) -> float:
    """Inches from the figure's top to a block."""
    return _TOP + block * (_LOGO + _GAP + _MAP + _BETWEEN)


def _axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes placed in inches from the figure's left and top."""
    whole_width, whole_height = figure.get_size_inches()
    bottom = whole_height - top - height
    return figure.add_axes((left / whole_width, bottom / whole_height, width / whole_width, height / whole_height))


def _block(figure: Figure, landscape: Landscape, first: int, per_row: int, top: float, tallest: float) -> None:
    """One row of the picture: the positions from ``first`` on."""
    own = slice(first, first + per_row)
    cell = (figure.get_size_inches()[0] - _LEFT - _RIGHT) / per_row
    width = cell * len(landscape.reference_P[own])
    _logo(_axes(figure, _LEFT, top, width, _LOGO), landscape.information()[own], tallest)
    _heat_map(_axes(figure, _LEFT, top + _LOGO + _GAP, width, _MAP), landscape, own)


def _logo(axes: Axes, heights_P4: NDArray[np.float64], tallest: float) -> None:
    import logomaker
    import pandas  # type: ignore[import-untyped]

    frame = pandas.DataFrame(heights_P4, columns=list(_BASES))
    logomaker.Logo(frame, ax=axes, color_scheme=COLOURS, show_spines=False, width=0.94, vpad=0.01)
    axes.set(xlim=(-0.5, len(frame) - 0.5), ylim=(0, tallest), xticks=[])
    axes.spines["left"].set_visible(True)
    axes.set_ylabel("bits", fontsize=9, color=_INK)
    axes.yaxis.set_major_locator(_few_ticks())
    axes.tick_params(axis="y", labelsize=8, length=2, colors=_FAINT)


def _few_ticks() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=3, steps=[1, 2, 5, 10])


def _heat_map(axes: Axes, landscape: Landscape, own: slice) -> None:
    scores_P4, reference_P = landscape.scores_P4[own], landscape.reference_P[own]
    limit = landscape.limit()
    axes.set_facecolor(_EMPTY)
    axes.imshow(scores_P4.T, cmap="RdBu", vmin=-limit, vmax=limit, aspect="auto", interpolation="none")
    known = np.flatnonzero(reference_P >= 0)
    axes.plot(known, reference_P[known], "o", markersize=2.2, color=_INK, markeredgewidth=0)
    axes.set_yticks(range(4), list(_BASES), fontsize=8, fontfamily="monospace")
    first = landscape.start + own.start
    positions = [first + place for place in range(len(reference_P)) if (first + place) % 10 == 0 or place == 0]
    shown = [position for position in positions if position == first or position - first >= 7]
    axes.set_xticks([position - first for position in shown], [f"{position:,}" for position in shown], fontsize=7.5)
    axes.set_xticks(np.arange(len(reference_P) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(5) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=0.5)
    axes.tick_params(which="both", length=0, colors=_INK)
    axes.tick_params(axis="x", which="major", length=3, color=_FAINT)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _colour_bar(figure: Figure, limit: float) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    top = _top_of(0) + 0.1
    axes = _axes(figure, figure.get_size_inches()[0] - _RIGHT + 0.22, top, 0.13, _LOGO + _GAP + _MAP - 0.1)
    bar = figure.colorbar(ScalarMappable(Normalize(-limit, limit), "RdBu"), cax=axes, extend="both")
    bar.set_label("log p(ALT) − log p(REF), nats", fontsize=8)
    bar.ax.tick_params(labelsize=7.5, length=2)
    bar.outline.set_visible(False)


def _head_and_caption(figure: Figure, landscape: Landscape, subtitle: str) -> None:
    width, height = figure.get_size_inches()
    figure.text(_LEFT / width, 1 - 0.2 / height, landscape.title, fontsize=12, weight="bold", va="center")
    if subtitle:
        figure.text(_LEFT / width, 1 - 0.42 / height, subtitle, fontsize=8.5, color=_FAINT, va="center")
    characters = int((width - _LEFT - 0.2) * 17.0)
    text = "\n".join(fill(line, characters) for line in _CAPTION)
    figure.text(_LEFT / width, 0.1 / height, text, fontsize=7.5, color=_FAINT, va="bottom", linespacing=1.35)


_CAPTION = (
    "Heat map: score of putting each base in place of the reference base (dot). Red, negative: the model finds it less "
    "likely; blue, positive: more likely; grey: no score.",
    "Logo: the distribution of bases that these scores imply, probability proportional to exp(score); the height of a "
    "stack is its information, 2 bits minus the entropy.",
)
