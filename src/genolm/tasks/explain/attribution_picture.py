"""The picture of attributions: letters as tall as what they add, the heat map of substitutions, the nulls below."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from genolm.arrays import Float32
from genolm.tasks.explain.gene_annotation import Gene
from genolm.tasks.explain.region_drawing import Stretch, draw_genes, gene_rows, genes_height
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
    "Height of a letter, nats: mutagenesis, minus the mean change of the objective when each of the other three bases "
    "is put there; gradient × input, the same if the network were linear. Upwards: the base raises the objective. Heat "
    "map: the change itself, red where it lowers the objective, dot at the reference, grey for N. Shuffled: the same "
    "dinucleotides in another order, on the scale of the model; the random network has its own. r: Pearson correlation "
    "of the two methods."
)


class Run(Protocol):
    """What is drawn of a run; L bases."""

    @property
    def sequence(self) -> str:
        """The bases."""
        ...

    @property
    def effects(self) -> Float32:
        """Change of the objective for each base put in place, (L, 4)."""
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
    """What stands around the letters.

    Attributes:
        name: the sequence's.
        chrom: its contig.
        start: its lowest coordinate, 0-based.
        strand: which way it was read; the picture reads that way too.
        model: the model's name.
        target: what is explained.
        genes: genes on top.
    """

    name: str
    chrom: str
    start: int
    strand: str
    model: str
    target: str
    genes: Sequence[Gene]


def draw_attribution(shown: Shown, runs: Mapping[str, Run], correlations: Mapping[str, float | None]) -> Figure:
    """The picture of one sequence, in rows of 100 bases, or as bars where it has more than 300."""
    length = len(runs["model"].sequence)
    lettered = length <= _LETTERED
    per_row = min(_PER_ROW, length) if lettered else length
    blocks = math.ceil(length / per_row)
    width = _LEFT + _INNER + _RIGHT
    stretches = [_stretch(shown, first, min(length, first + per_row), length) for first in range(0, length, per_row)]
    genes = [gene_rows(shown.genes, one, _INNER, mirrored=shown.strand == "-") for one in stretches]
    tall = 6 * (_LOGO + _GAP) + _HEAT + _GAP
    height = _TOP + sum(map(genes_height, genes)) + blocks * (tall + _BETWEEN) + caption_height(_CAPTION, width)
    where = f"{shown.chrom}:{shown.start + 1:,}–{shown.start + length:,}"
    own = "" if shown.name.partition(":")[0] == shown.chrom else f"{shown.name} · "
    strand = f"read on the {'forward' if shown.strand == '+' else 'reverse'} strand"
    with style():
        sheet = Sheet.new(
            width, height, f"What the {shown.target} under {shown.model} listens to", f"{own}{where} · {strand}"
        )
        top = _TOP
        for number, stretch in enumerate(stretches):
            rows = genes[number]
            part = slice(number * per_row, min(length, (number + 1) * per_row))
            inner = _INNER * len(stretch) / per_row
            if rows:
                axes = sheet.axes(_LEFT, top, inner, genes_height(rows))
                draw_genes(axes, rows, stretch, mirrored=shown.strand == "-")
                top += genes_height(rows)
            _block(sheet, shown, runs, part, stretch, top, inner, correlations if number == 0 else None, lettered)
            top += tall + _BETWEEN
        sheet.caption(_CAPTION)
    return sheet.figure


def _stretch(shown: Shown, first: int, last: int, length: int) -> Stretch:
    """The coordinates of some of the bases."""
    if shown.strand == "-":
        first, last = length - last, length - first
    return Stretch(shown.chrom, shown.start + first, shown.start + last)


def _block(
    sheet: Sheet,
    shown: Shown,
    runs: Mapping[str, Run],
    part: slice,
    stretch: Stretch,
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
    _positions(axes, stretch, shown)


def _limits(runs: Mapping[str, Run], run: str, method: str) -> tuple[float, float]:
    """The model on both sequences shares a scale; the random network has its own."""
    sharing = ("model", "shuffled") if run != "random_weights" else (run,)
    values = np.concatenate([getattr(runs[one], method) for one in sharing])
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
    places = [(place, "ACGT".index(base)) for place, base in enumerate(run.sequence[part]) if base != "N"]
    if len(run.sequence) <= _LETTERED:
        axes.plot(*zip(*places), "o", markersize=1.6, color=INK, markeredgewidth=0)
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


def _positions(axes: Axes, stretch: Stretch, shown: Shown) -> None:
    """Coordinates under the last panel, at round numbers."""
    count = len(stretch)
    step = max(10, 10 ** math.floor(math.log10(max(1, count))) // (1 if count >= 500 else 10) or 10)
    step = step if count / step <= 12 else 2 * step
    names = range(stretch.start + 1, stretch.end + 1)
    shownat = [one for one in names if one % step == 0]
    places = [one - stretch.start - 1 if shown.strand == "+" else stretch.end - one for one in shownat]
    axes.set_xticks(places, [f"{one:,}" for one in shownat], fontsize=7)
    axes.tick_params(axis="x", length=2.5, colors=INK)
    axes.set_xlabel(f"position on {shown.chrom}, 1-based, bp", fontsize=7.5, labelpad=2)
