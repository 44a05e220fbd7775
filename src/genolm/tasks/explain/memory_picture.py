"""Heat maps of a k-mer memory along a region: the model, its null below, genes on top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from genolm.arrays import Float32
from genolm.tasks.explain.gene_annotation import Gene
from genolm.tasks.explain.region_drawing import (
    MAX_BINS,
    Region,
    binned,
    draw_genes,
    draw_heat,
    gene_rows,
    genes_height,
)
from genolm.tasks.writing.figure_sheet import Sheet, caption_height, colour_bar, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM = 11.0, 1.35, 1.5, 0.75, 0.5
_ROW, _GAP, _HEAD = 0.26, 0.06, 0.34
_LABELS = {
    "written": ("norm of the memory's output", "norm", "viridis"),
    "relative": ("norm of the memory's output ÷ norm of the residual stream", "ratio", "viridis"),
    "gate": ("gate", "0 to 1", "PuOr_r"),
}
_CAPTION = (
    "“random tables”: the same network with every k-mer table replaced by normal random numbers of equal mean square, "
    "on the same colour scale. r: Pearson correlation of the two over all bases of the run. Patterns that the null "
    "shares come from the sequence (a mean of k-mer vectors stays long in repeats and shrinks in mixed sequence), not "
    "from learning."
)


@dataclass(frozen=True, slots=True)
class Traces:
    """Values along one region, on the forward strand.

    Attributes:
        chrom: contig.
        start: first base, 0-based.
        length: number of bases.
        values: values by layer, quantity and whether they are the null's.
    """

    chrom: str
    start: int
    length: int
    values: Mapping[tuple[int, str, bool], Float32]


def draw_memory(
    traces: Traces,
    name: str,
    model: str,
    correlations: Mapping[tuple[int, str], float | None],
    genes: Sequence[Gene],
) -> Figure:
    """Draw, for each quantity, the layers of the model and below them those of the null with random tables."""
    region = Region(traces.chrom, traces.start, traces.start + traces.length)
    quantities = [one for one in _LABELS if any(quantity == one for _, quantity, _ in traces.values)]
    layers = {one: sorted({layer for layer, quantity, _ in traces.values if quantity == one}) for one in quantities}
    inner = _WIDTH - _LEFT - _RIGHT
    rows = gene_rows(genes, region, inner)
    blocks = sum(_HEAD + 2 * _ROW * len(layers[one]) + _GAP for one in quantities)
    height = _TOP + genes_height(rows) + blocks + _BOTTOM + caption_height(_CAPTION, _WIDTH)
    with style():
        sheet = Sheet.new(_WIDTH, height, f"Output of the k-mer memory of {model}", _subtitle(name, region))
        top = _TOP
        if rows:
            draw_genes(sheet.axes(_LEFT, top, inner, genes_height(rows)), rows, region)
            top += genes_height(rows)
        for quantity in quantities:
            last = quantity == quantities[-1]
            top = _block(sheet, traces, quantity, layers[quantity], correlations, region, top, last)
        sheet.caption(_CAPTION)
    return sheet.figure


def _block(
    sheet: Sheet,
    traces: Traces,
    quantity: str,
    layers: Sequence[int],
    correlations: Mapping[tuple[int, str], float | None],
    region: Region,
    top: float,
    last: bool,
) -> float:
    """Draw the two heat maps of one quantity; return the top of the next block."""
    title, unit, colours = _LABELS[quantity]
    inner, tall = _WIDTH - _LEFT - _RIGHT, _ROW * len(layers)
    maps = [np.stack([binned(traces.values[layer, quantity, null]) for layer in layers]) for null in (False, True)]
    low, high = _limits(np.concatenate(maps), quantity)
    for null, values in enumerate(maps):
        upper = top + _HEAD + null * (tall + _GAP)
        axes = sheet.axes(_LEFT, upper, inner, tall)
        names = [f"{_layer(layer)}{', random tables' if null else ''}" for layer in layers]
        image = draw_heat(axes, values, names, region, (low, high), colours, log=quantity == "relative")
        region.frame(axes, labelled=last and bool(null))
        if not (last and null):
            axes.tick_params(axis="x", length=0)
        if not null:
            axes.set_title(title, fontsize=8.5, loc="left", pad=4)
            for row, layer in enumerate(layers):
                r = correlations.get((layer, quantity))
                text = "r undefined" if r is None else f"r = {r:.2f}"
                axes.text(region.end + 0.5, row, f" {text}", fontsize=7, va="center", ha="left")
    colour_bar(sheet, image, unit, (_WIDTH - _RIGHT + 0.72, top + _HEAD, 0.12, 2 * tall + _GAP))
    return top + _HEAD + 2 * tall + _GAP


def _subtitle(name: str, region: Region) -> str:
    """Return the region's name if it has one, its coordinates, and the bases per column."""
    wide = -(-len(region) // MAX_BINS)
    columns = "" if wide == 1 else f" · each column is the mean of about {wide:,} bases"
    prefix = "" if name in (f"{region.chrom}:{region.start + 1}-{region.end}", region.chrom) else f"{name} · "
    return f"{prefix}{region.title}{columns}"


def _limits(values: NDArray[np.float64], quantity: str) -> tuple[float, float]:
    """Return the limits of the colour scale: symmetric about 0.5 for the gate, else up to the 99.5 % quantile."""
    known = values[~np.isnan(values)]
    if quantity == "gate":
        reach = max(0.02, float(np.quantile(np.abs(known - 0.5), 0.995))) if known.size else 0.5
        return 0.5 - reach, 0.5 + reach
    high = max(1e-9, float(np.quantile(known, 0.995))) if known.size else 1.0
    if quantity == "relative":  # layers differ by orders of magnitude: a logarithmic scale
        return max(high * 1e-4, float(np.quantile(known, 0.005)) if known.size else 0.0), high
    return 0.0, high


def _layer(layer: int) -> str:
    return f"layer {layer}" if layer else "input"
