"""Figure of a logit lens: three measures by layer, for the model and its nulls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from genolm.tasks.writing.figure_sheet import FAINT, NULL, OTHER, REAL, RULE, Sheet, caption_height, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH, _PANEL, _LEFT, _BETWEEN, _TOP, _TALL = 11.0, 2.75, 0.75, 0.85, 0.95, 2.6
_PANELS = (
    ("kl_nats", "KL(final ‖ readout), nats", "Divergence from the final prediction"),
    ("top1_agreement", "share of bases", "Agreement with the final top base"),
    ("bits_per_base", "bits per base", "Loss of the readout"),
)
_COLOURS = {"model": REAL, "random weights": NULL}
_CAPTION = (
    "Bands: 95 % interval from blocks of 200 bases. Random weights: the same architecture, untrained. Unigram: the "
    "model's mean prediction, its best constant approximation. Uniform: equal probabilities. A layer with a KL above "
    "the unigram's is less informative about the final prediction than that constant."
)


def draw_lens(table: pl.DataFrame, model: str, over: str) -> Figure:
    """Draw the table of :func:`genolm.explain.lens`."""
    height = _TOP + _TALL + 0.6 + caption_height(_CAPTION, _WIDTH)
    bases = table["bases"][0]
    title = f"Logit lens of {model}: predictions from every layer"
    with style():
        sheet = Sheet.new(_WIDTH, height, title, f"{bases:,} bases predicted · probabilities over {over}")
        for number, (name, unit, heading) in enumerate(_PANELS):
            axes = sheet.axes(_LEFT + number * (_PANEL + _BETWEEN), _TOP, _PANEL, _TALL)
            _panel(axes, table, name)
            axes.set_title(heading, fontsize=9, loc="left")
            axes.set(xlabel="layer (0: embedding)", ylabel=unit)
            if number == 0:
                axes.legend(fontsize=7.5, loc="best")
        sheet.caption(_CAPTION)
    return sheet.figure


def _panel(axes: Axes, table: pl.DataFrame, name: str) -> None:
    from matplotlib.ticker import MaxNLocator

    for network, colour in _COLOURS.items():
        rows = table.filter((pl.col("network") == network) & (pl.col("readout") == "layer")).sort("layer")
        layers = rows["layer"].to_numpy()
        if not rows[f"{name}_low"].null_count():
            low, high = (rows[f"{name}_{end}"].to_numpy() for end in ("low", "high"))
            axes.fill_between(layers, low, high, color=colour, alpha=0.25, linewidth=0)
        axes.plot(layers, rows[name].to_numpy(), color=colour, marker="o", markersize=3.5, linewidth=1.5, label=network)
    constants = table.filter((pl.col("network") == "model") & (pl.col("readout") != "layer"))
    for readout, value in constants.select("readout", name).iter_rows():
        dashes = (0, (5, 2)) if readout == "unigram" else (0, (1, 2))
        colour = OTHER if readout == "unigram" else FAINT
        axes.axhline(value, color=colour, linewidth=1.1, linestyle=dashes, label=readout)
    axes.grid(axis="y", color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
