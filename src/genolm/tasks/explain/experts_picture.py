"""Figure of expert loads: shares by class in every layer, and the association of class and expert."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from genolm.tasks.explain.routing import CLASSES
from genolm.tasks.writing.figure_sheet import NULL, OTHER, REAL, RULE, Sheet, caption_height, colour_bar, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW, _COLUMN, _LEFT, _TOP, _GAP = 0.22, 0.24, 1.35, 1.0, 0.28
_MAX_LAYERS = 6
_TITLES = {"base": "letter", "cpg": "CpG or not, among C and G", "region": "gene annotation"}
_CAPTION = (
    "Left and middle: share of each class's routing choices per expert, for the model and for the same architecture "
    "with random weights, on one colour scale. Dots: outside the 95 % range under circularly shifted labels (99 "
    "shifts, which keep runs of labels intact). Right: Cramér's V of class and expert (0: independent, 1: determined "
    "by the class), with the mean and the 97.5 % quantile under shifted labels."
)


def draw_experts(tables: Mapping[str, pl.DataFrame], grouping: str, model: str) -> Figure:
    """Draw one grouping from the tables of :func:`genolm.explain.experts`."""
    shares = tables["shares"].filter(pl.col("grouping") == grouping)
    association = tables["association"].filter(pl.col("grouping") == grouping)
    present = set(shares["class"].unique())
    names = [name for name in CLASSES[grouping] if name in present]  # type: ignore[index]
    layers = _drawn_layers(sorted(shares["layer"].unique()))
    experts = int(shares["expert"].max()) + 1  # type: ignore[arg-type]
    wide, tall = max(1.9, min(4.0, _COLUMN * experts)), _ROW * len(names)
    block = tall + _GAP
    inner = max(len(layers) * block, 2.2)
    width = _LEFT + 2 * wide + 0.25 + 1.75 + 2.6 + 0.2
    height = _TOP + inner + 0.5 + caption_height(_CAPTION, width)
    with style():
        sheet = Sheet.new(
            width,
            height,
            f"Experts of {model} by {_TITLES[grouping]}",
            _class_counts(tables["classes"], grouping, names),
        )
        limit = float(shares["share"].quantile(0.995) or 1.0)
        for column, network in enumerate(("model", "random weights")):
            left = _LEFT + column * (wide + 0.25)
            for row, layer in enumerate(layers):
                axes = sheet.axes(left, _TOP + row * block, wide, tall)
                loads = shares.filter((pl.col("network") == network) & (pl.col("layer") == layer))
                image = _heat(axes, loads, names, experts, limit)
                axes.set_title(f"{network}, layer {layer}", fontsize=7.5, loc="left", pad=2)
                axes.set_yticks(range(len(names)), names if column == 0 else [""] * len(names), fontsize=7)
                axes.tick_params(length=0, labelsize=7, labelbottom=row == len(layers) - 1)
            axes.set_xlabel("expert", fontsize=8)
        right = _LEFT + 2 * wide + 0.25
        colour_bar(sheet, image, "share of choices", (right + 0.15, _TOP, 0.12, min(1.6, inner)))
        _association(sheet.axes(right + 1.55, _TOP, 2.6, inner - _GAP), association)
        sheet.caption(_CAPTION)
    return sheet.figure


def _drawn_layers(layers: Sequence[int]) -> list[int]:
    """Return at most six layers, evenly spaced, with the first and the last; the tables have all layers."""
    if len(layers) <= _MAX_LAYERS:
        return list(layers)
    return [layers[index] for index in np.linspace(0, len(layers) - 1, _MAX_LAYERS).round().astype(int)]


def _class_counts(classes: pl.DataFrame, grouping: str, names: Sequence[str]) -> str:
    first = classes.filter((pl.col("grouping") == grouping) & (pl.col("network") == "model"))
    counts = dict(first.filter(pl.col("layer") == first["layer"].min()).select("class", "bases").iter_rows())
    return "bases: " + ", ".join(f"{name} {counts[name]:,}" for name in names)


def _heat(axes: Axes, rows: pl.DataFrame, names: Sequence[str], experts: int, limit: float) -> Any:
    values = np.zeros((len(names), experts))
    for name, expert, share, low, high in rows.select(
        "class", "expert", "share", "share_permuted_low", "share_permuted_high"
    ).iter_rows():
        row = names.index(name)
        values[row, expert] = share
        if share < low or share > high:
            colour = "white" if share < 0.6 * limit else "black"
            axes.plot(expert, row, ".", color=colour, markersize=2.5, markeredgewidth=0)
    image = axes.imshow(values, cmap="viridis", vmin=0, vmax=limit, aspect="auto", interpolation="none")
    axes.set_xticks(range(0, experts, max(1, experts // 8)))
    for spine in axes.spines.values():
        spine.set_visible(False)
    return image


def _association(axes: Axes, table: pl.DataFrame) -> None:
    from matplotlib.ticker import MaxNLocator

    for network, colour in (("model", REAL), ("random weights", NULL)):
        rows = table.filter(pl.col("network") == network).sort("layer")
        axes.plot(rows["layer"], rows["cramers_v"], "o-", color=colour, markersize=4, linewidth=1.4, label=network)
    rows = table.filter(pl.col("network") == "model").sort("layer")
    mean, high = rows["cramers_v_permuted"], rows["cramers_v_permuted_high"]
    axes.fill_between(rows["layer"].to_numpy(), mean.to_numpy(), high.to_numpy(), color=OTHER, alpha=0.2, linewidth=0)
    axes.plot(rows["layer"], mean, "--", color=OTHER, linewidth=1.2, label="model, labels shifted")
    top = max(table["cramers_v"].max(), table["cramers_v_permuted_high"].max())  # type: ignore[type-var]
    axes.set(xlabel="layer", ylabel="Cramér's V", ylim=(0, 1.45 * float(top) or 1.0))  # type: ignore[arg-type]
    axes.set_title("association of class and expert", fontsize=8.5, loc="left")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.legend(fontsize=7, loc="upper right")
