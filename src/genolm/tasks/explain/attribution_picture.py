"""Figure of attributions: sequence logos, a heat map of substitutions, and the nulls below."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from genolm.arrays import Float32
from genolm.tasks.explain.gene_annotation import Gene
from genolm.tasks.explain.region_drawing import Region, draw_genes, gene_rows, genes_height
from genolm.tasks.writing.figure_sheet import COLOURS, EMPTY, FAINT, INK, RULE, Sheet, caption_height, colour_bar, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import Locator

_PER_ROW = 100
_LETTERED = 300  # bases; longer sequences are drawn as bars in one row
_INNER, _LEFT, _RIGHT, _TOP = 11.5, 2.15, 1.15, 0.75
_LOGO, _HEAT, _GAP, _BETWEEN = 0.52, 0.6, 0.09, 0.5
_RUNS = (("model", "model"), ("shuffled", "shuffled"), ("random_weights", "random\nweights"))
_METHODS = (("mutagenesis", "mutagenesis,\nnats"), ("gradient", "gradient × input,\nnats"))
_CAPTION = (
    "Letter height, nats. Mutagenesis: minus the mean change of the objective over the three substitutions. Gradient × "
    "input: its linear approximation. Positive: the base raises the objective. Heat map: the change itself, red where "
    "it lowers the objective; dots mark the reference, grey is N. Shuffled: dinucleotide-shuffled sequence, on the "
    "scale of the model; the network with random weights has its own scale. r: Pearson correlation of the two methods."
)


class Run(Protocol):
    """Attributions of one run; L bases."""

    @property
    def sequence(self) -> str:
        """The bases."""
        ...

    @property
    def effects(self) -> Float32:
        """Change of the objective for each substituted base, (L, 4)."""
        ...

    @property
    def mutagenesis(self) -> Float32:
        """Attribution by mutagenesis, (L,)."""
        ...

    @property
    def gradient(self) -> Float32:
        """Attribution by gradient × input, (L,)."""
        ...


@dataclass(frozen=True, slots=True)
class Shown:
    """Labels and genes of the figure.

    Attributes:
        name: name of the sequence.
        chrom: contig.
        start: lowest coordinate, 0-based.
        strand: strand of the sequence; the figure follows it.
        model: name of the model.
        target: the objective, in words.
        genes: genes to draw on top.
    """

    name: str
    chrom: str
    start: int
    strand: str
    model: str
    target: str
    genes: Sequence[Gene]


def draw_attribution(shown: Shown, runs: Mapping[str, Run], correlations: Mapping[str, float | None]) -> Figure:
    """Draw one sequence in rows of 100 bases, or as bars in one row if it is longer than 300 bases."""
    length = len(runs["model"].sequence)
    lettered = length <= _LETTERED
    per_row = min(_PER_ROW, length) if lettered else length
    blocks = math.ceil(length / per_row)
    width = _LEFT + _INNER + _RIGHT
    regions = [_region(shown, first, min(length, first + per_row), length) for first in range(0, length, per_row)]
    genes = [gene_rows(shown.genes, one, _INNER, mirrored=shown.strand == "-") for one in regions]
    tall = 6 * (_LOGO + _GAP) + _HEAT + _GAP
    height = _TOP + sum(map(genes_height, genes)) + blocks * (tall + _BETWEEN) + caption_height(_CAPTION, width)
    location = f"{shown.chrom}:{shown.start + 1:,}–{shown.start + length:,}"
    name = "" if shown.name.partition(":")[0] == shown.chrom else f"{shown.name} · "
    strand = f"read on the {'forward' if shown.strand == '+' else 'reverse'} strand"
    with style():
        sheet = Sheet.new(
            width, height, f"Attribution of the {shown.target} under {shown.model}", f"{name}{location} · {strand}"
        )
        top = _TOP
        for number, region in enumerate(regions):
            rows = genes[number]
            part = slice(number * per_row, min(length, (number + 1) * per_row))
            inner = _INNER * len(region) / per_row
            if rows:
                axes = sheet.axes(_LEFT, top, inner, genes_height(rows))
                draw_genes(axes, rows, region, mirrored=shown.strand == "-")
                top += genes_height(rows)
            _block(sheet, shown, runs, part, region, top, inner, correlations if number == 0 else None, lettered)
            top += tall + _BETWEEN
        sheet.caption(_CAPTION)
    return sheet.figure


def _region(shown: Shown, first: int, last: int, length: int) -> Region:
    """Return the region of a slice of the sequence."""
    if shown.strand == "-":
        first, last = length - last, length - first
    return Region(shown.chrom, shown.start + first, shown.start + last)


def _block(
    sheet: Sheet,
    shown: Shown,
    runs: Mapping[str, Run],
    part: slice,
    region: Region,
    top: float,
    inner: float,
    correlations: Mapping[str, float | None] | None,
    lettered: bool,
) -> None:
    for run, label in _RUNS:
        for method, name in _METHODS:
            axes = sheet.axes(_LEFT, top, inner, _LOGO)
            values = getattr(runs[run], method)
            _letters(axes, values[part], runs[run].sequence[part], _limits(runs, run, method), lettered)
            axes.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=7, color=INK, labelpad=4)
            if method == "mutagenesis":
                _name(sheet, label, top)
            elif correlations is not None:
                r = correlations[run]
                text = "r undefined" if r is None else f"r = {r:.2f}"
                middle = 1 - (top + _LOGO / 2) / sheet.height
                sheet.figure.text((_LEFT + inner + 0.12) / sheet.width, middle, text, fontsize=8, va="center")
            top += _LOGO + _GAP
            if run == "model" and method == "mutagenesis":
                _heat(sheet, runs[run], part, top, inner, bar=correlations is not None)
                top += _HEAT + _GAP
    _positions(axes, region, shown)


def _limits(runs: Mapping[str, Run], run: str, method: str) -> tuple[float, float]:
    """Return the y limits: shared by the model's two runs, separate for the network with random weights."""
    runs_on_scale = ("model", "shuffled") if run != "random_weights" else (run,)
    values = np.concatenate([getattr(runs[one], method) for one in runs_on_scale])
    known = values[~np.isnan(values)]
    low, high = min(0.0, float(known.min())), max(0.0, float(known.max()))
    return low * 1.05, high * 1.05 or 1e-9


def _letters(axes: Axes, values_L: Float32, sequence: str, limits: tuple[float, float], lettered: bool) -> None:
    heights = np.nan_to_num(values_L.astype(np.float64))
    if lettered:
        import logomaker
        import pandas  # type: ignore[import-untyped]

        frame = pandas.DataFrame(
            [[height if base == letter else 0.0 for letter in "ACGT"] for base, height in zip(sequence, heights)],
            columns=list("ACGT"),
        )
        logomaker.Logo(frame, ax=axes, color_scheme=COLOURS, show_spines=False, flip_below=False, width=0.94)
    else:
        axes.bar(range(len(heights)), heights, width=1.0, color=[COLOURS.get(base, EMPTY) for base in sequence])
    axes.axhline(0, color=RULE, linewidth=0.6)
    axes.set(xlim=(-0.5, len(sequence) - 0.5), ylim=limits, xticks=[])
    axes.yaxis.set_major_locator(_few_ticks())
    axes.tick_params(axis="y", labelsize=6.5, length=2, colors=FAINT)
    axes.spines["left"].set(visible=True, color=RULE)


def _few_ticks() -> Locator:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=2, steps=[1, 2, 5, 10])


def _heat(sheet: Sheet, run: Run, part: slice, top: float, inner: float, *, bar: bool) -> None:
    from matplotlib import colormaps

    axes = sheet.axes(_LEFT, top, inner, _HEAT)
    known = np.abs(run.effects[~np.isnan(run.effects)])
    limit = float(np.quantile(known[known > 0], 0.99)) if (known > 0).any() else 1.0
    image = axes.imshow(
        run.effects[part].T, cmap=colormaps["RdBu"].with_extremes(bad=EMPTY), vmin=-limit, vmax=limit,
        aspect="auto", interpolation="none",
    )  # fmt: skip
    reference = [(position, "ACGT".index(base)) for position, base in enumerate(run.sequence[part]) if base != "N"]
    if len(run.sequence) <= _LETTERED:
        axes.plot(*zip(*reference), "o", markersize=1.6, color=INK, markeredgewidth=0)
    axes.set_yticks(range(4), list("ACGT"), fontsize=6.5, fontfamily="monospace")
    axes.set_xlim(-0.5, len(run.sequence[part]) - 0.5)
    axes.set(xticks=[])
    axes.tick_params(length=0)
    axes.set_ylabel("substitutions", rotation=0, ha="right", va="center", fontsize=7, labelpad=14)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if bar:
        colour_bar(sheet, image, "nats", (_LEFT + inner + 0.12, top, 0.1, _HEAT))


def _name(sheet: Sheet, label: str, top: float) -> None:
    height = 1 - (top + _LOGO / 2) / sheet.height
    sheet.figure.text(0.12 / sheet.width, height, label, fontsize=8, weight="bold", va="center", ha="left")


def _positions(axes: Axes, region: Region, shown: Shown) -> None:
    """Label round coordinates under the last panel."""
    count = len(region)
    step = max(10, 10 ** math.floor(math.log10(max(1, count))) // (1 if count >= 500 else 10) or 10)
    step = step if count / step <= 12 else 2 * step
    coordinates = range(region.start + 1, region.end + 1)
    ticks = [one for one in coordinates if one % step == 0]
    positions = [one - region.start - 1 if shown.strand == "+" else region.end - one for one in ticks]
    axes.set_xticks(positions, [f"{one:,}" for one in ticks], fontsize=7)
    axes.tick_params(axis="x", length=2.5, colors=INK)
    axes.set_xlabel(f"position on {shown.chrom}, 1-based, bp", fontsize=7.5, labelpad=2)
