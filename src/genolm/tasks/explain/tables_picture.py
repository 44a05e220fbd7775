"""Figure of k-mer tables: strands, codons and neighbours, with controls and a random table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from genolm.tasks.explain.table_geometry import RELATIONS
from genolm.tasks.writing.figure_sheet import NULL, OTHER, REAL, RULE, Sheet, caption_height, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW, _LEFT, _TOP, _PANEL, _GAP = 0.26, 1.15, 1.0, 2.5, 0.35
_SERIES = (("related", "model", REAL, "o", "related pair"), ("control", "model", OTHER, "s", "control pair"),
           ("related", "random table", NULL, "D", "related pair, random table"))  # fmt: skip
_CAPTION = (
    "Cosine similarity of rows, with 95 % intervals from resampled pairs. Strands: a k-mer and its reverse complement; "
    "control: a random k-mer of equal GC content. Codons: two synonymous codons; control: a codon of another amino "
    "acid that differs at the same positions. Neighbours: relation of the nearest row to a k-mer; filled: model, open: "
    "random table, bar: expected by chance. Random tables hold normal random numbers of equal mean square."
)


def draw_tables(tables: Mapping[str, pl.DataFrame], model: str) -> Figure:
    """Draw the tables of :func:`genolm.explain.tables`."""
    keys = [
        (layer, order)
        for layer, order in tables["symmetry"].select("layer", "order").unique(maintain_order=True).iter_rows()
    ]
    width = _LEFT + 3 * _PANEL + 2 * _GAP + 0.3
    tall = max(1.4, _ROW * len(keys) + 0.2)
    height = _TOP + tall + 1.15 + caption_height(_CAPTION, width)
    with style():
        sheet = Sheet.new(width, height, f"The k-mer tables of {model}", "with controls and random tables")
        panels = [sheet.axes(_LEFT + number * (_PANEL + _GAP), _TOP, _PANEL, tall) for number in range(3)]
        names = [f"{f'layer {layer}' if layer else 'input'}, k = {order}" for layer, order in keys]
        for axes, name, title in zip(panels, ("symmetry", "codons"), ("Strands", "Codons")):
            _compare(axes, tables[name], keys)
            axes.set_title(title, fontsize=9, loc="left")
            axes.set_xlabel("mean cosine", fontsize=8)
        _nearest(panels[2], tables["nearest"], keys)
        panels[2].set_title("Nearest neighbour", fontsize=9, loc="left")
        for number, axes in enumerate(panels):
            axes.set_yticks(range(len(keys)), names if number == 0 else [""] * len(keys), fontsize=7.5)
            axes.set_ylim(len(keys) - 0.4, -0.6)
            axes.grid(axis="x", color=RULE, linewidth=0.6)
            axes.tick_params(axis="y", length=0)
            axes.set_axisbelow(True)
        for axes in (panels[0], panels[2]):
            axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(0, -0.45 / tall), ncols=1, borderaxespad=0)
        sheet.caption(_CAPTION)
    return sheet.figure


def _compare(axes: Axes, table: pl.DataFrame, keys: list[tuple[int, int]]) -> None:
    axes.axvline(0, color=RULE, linewidth=1)
    for number, (column, rows, colour, marker, label) in enumerate(_SERIES):
        heights, values = [], []
        for row in table.filter(pl.col("rows") == rows).iter_rows(named=True):
            if row[column] is not None:
                heights.append(keys.index((row["layer"], row["order"])) + 0.2 * (number - 1))
                values.append([row[column], row[f"{column}_low"] or row[column], row[f"{column}_high"] or row[column]])
        if values:
            value, low, high = np.array(values).T
            reach = np.maximum(0, np.stack((value - low, high - value)))
            axes.errorbar(
                value, heights, xerr=reach, fmt=marker, color=colour, markersize=4, linewidth=1.2, label=label
            )
        else:
            axes.plot([], [], marker, color=colour, markersize=4, label=label)
    if table.is_empty():
        axes.text(0.5, 0.5, "no table of 3-mers", transform=axes.transAxes, ha="center", va="center", fontsize=8)
        axes.set_xticks([])


def _nearest(axes: Axes, table: pl.DataFrame, keys: list[tuple[int, int]]) -> None:
    colours = dict(zip(RELATIONS, (REAL, OTHER, "#e09f1f")))
    for number, (relation, colour) in enumerate(colours.items()):
        for rows, fill in (("model", colour), ("random table", "white")):
            part = table.filter((pl.col("relation") == relation) & (pl.col("rows") == rows))
            shift = 0.24 * (number - 1) + (0.04 if rows == "model" else -0.06)
            heights = [keys.index(key) + shift for key in part.select("layer", "order").iter_rows()]
            label = relation if rows == "model" else None
            axes.plot(
                part["share"], heights, "o", color=colour, markerfacecolor=fill, markersize=4.5, label=label, zorder=3
            )
            if rows == "model":
                axes.plot(part["share_chance"], heights, "|", color=colour, markersize=8)
    top = max(float(table[name].max() or 0) for name in ("share", "share_chance"))  # type: ignore[arg-type]
    axes.set_xlim(-0.05 * top, 1.07 * top or 1)
    axes.set_xlabel("share of k-mers", fontsize=8)
