"""Report of a check: an HTML page with the table of metrics, and a figure."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from genolm.tasks.generation.novelty.exact_matches import SEED
from genolm.tasks.writing.figure_sheet import NULL, OTHER, REAL, Sheet, caption_height, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = {"generated": REAL, "natural": OTHER, "markov": NULL}
_NAMES = {"generated": "generated", "natural": "natural, same lengths", "markov": "Markov model of the reference"}
_PANELS = (
    ("gc", "bases", "G + C, share of bases"),
    ("coding_bases", "length", "bases inside a gene, share"),
    ("tandem", "length", "bases in tandem repeats, share"),
    ("gzip_bytes", "length", "compressed size over bases"),
    ("longest_match", "", "longest exact match with training, bases"),
    ("identity", "", "identity to the nearest training sequence"),
)
_SHORT = 12
"""Where matches too short to be found are plotted."""
_CAPTION = (
    "Cumulative distributions over sequences. Natural: pieces of the reference of the same lengths, never compared "
    "with the file that they come from. Markov: sequences of the same lengths sampled from a Markov model of the "
    "reference."
)
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #ddd }
td.number { white-space: nowrap; font-variant-numeric: tabular-nums } small { color: #666 } img { width: 100% }
"""


def draw_check(sequences: pl.DataFrame) -> Figure:
    """Draw six panels: cumulative distributions over the sequences of each group.

    Args:
        sequences: the per-sequence table, with a column ``group``.
    """
    width = 10.0
    bottom = caption_height(_CAPTION, width)
    with style():
        sheet = Sheet.new(width, 5.9 + bottom, "Generated DNA compared with natural and Markov sequences", "")
        for number, (numerator, denominator, title) in enumerate(_PANELS):
            axes = sheet.axes(0.6 + 3.2 * (number % 3), 0.75 + 2.6 * (number // 3), 2.6, 1.9)
            _panel(axes, sequences, numerator, denominator, title, labelled=number % 3 == 0)
        handles, labels = sheet.figure.axes[0].get_legend_handles_labels()
        sheet.figure.legend(
            handles,
            labels,
            loc="upper left",
            ncols=3,
            bbox_to_anchor=(0.12 / width, 1 - 0.33 / sheet.height),
            borderaxespad=0,
            borderpad=0,
            fontsize=8.5,
        )
        sheet.caption(_CAPTION)
    return sheet.figure


def _panel(
    axes: Axes, sequences: pl.DataFrame, numerator: str, denominator: str, title: str, *, labelled: bool
) -> None:
    for name, colour in _COLOURS.items():
        rows = sequences.filter((pl.col("group") == name) & pl.col(numerator).is_not_null())
        values = np.sort(
            (rows[numerator] / rows[denominator] if denominator else rows[numerator]).cast(pl.Float64).to_numpy()
        )
        if numerator == "longest_match":
            values = np.maximum(values, _SHORT)
        steps = np.concatenate([values[:1], values])  # a single value becomes a vertical line
        shares = np.linspace(0, 1, len(steps))
        axes.step(steps, shares, where="post", color=colour, linewidth=1.6, label=_NAMES[name])
    if sequences[numerator].is_null().all():
        axes.text(0.5, 0.5, "no data", ha="center", transform=axes.transAxes, fontsize=8.5)
        axes.set_xticks([])
    axes.set_xlabel(title)
    axes.set_ylim(0, 1.02)
    if labelled:
        axes.set_ylabel("share of sequences")
    if numerator == "longest_match":
        _lengths(axes, longest=int(sequences[numerator].max() or 0))  # type: ignore[arg-type]


def _lengths(axes: Axes, longest: int) -> None:
    """Use a logarithmic axis with a position for 0, which stands for any match too short to be found."""
    ticks = [tick for tick in (20, 50, 100, 300, 1000, 3000, 10_000, 30_000) if tick < 1.5 * longest]
    axes.set_xscale("log")
    axes.set_xlim(0.9 * _SHORT, 1.2 * max(longest, 2 * SEED))
    axes.set_xticks([_SHORT, *ticks], [f"<{SEED}", *(f"{tick:,}" for tick in ticks)])
    axes.minorticks_off()


def report_page(report: Mapping[str, Any], picture: Path) -> str:
    """Return the page with the figure embedded.

    Args:
        report: result of :func:`genolm.check`.
        picture: a PNG file.
    """
    settings = report["settings"]
    image = base64.b64encode(picture.read_bytes()).decode()
    rows = "".join(_row(figure) for figure in report["figures"])
    facts = "".join(
        f"<tr><th>{escape(name.replace('_', ' '))}</th><td>{escape(_text(value))}</td></tr>"
        for name, value in settings.items()
    )
    counts = report["passed"]
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Check of generated DNA</title><style>{_STYLE}</style></head><body>
<h1>Check of generated DNA</h1>
<p>{counts["sequences"]:,} sequences. Dropped: {counts["empty_dropped"]:,} without new bases,
{counts["duplicates_dropped"]:,} duplicates,
{counts["repeats_dropped"]:,} with too many tandem repeats; {counts["passed"]:,} passed.</p>
<p>Compare each metric with its natural value: that of pieces of the reference of the same lengths.
A value like the Markov model's is explained by short words alone. A dash means that there are no data.</p>
<table><tr><th>metric</th><th>generated</th><th>natural</th><th>Markov</th><th>unit</th></tr>{rows}</table>
<p><small>Intervals are 95 %, from resampled sequences.</small></p>
<img alt="Distributions of six metrics for the three groups" src="data:image/png;base64,{image}">
<h2>How this was made</h2><table>{facts}</table>
</body></html>
"""


def _row(figure: Mapping[str, Any]) -> str:
    cells = "".join(f'<td class="number">{_cell(figure[name])}</td>' for name in _COLOURS)
    name = escape(figure["name"].replace("_", " "))
    return (
        f"<tr><td>{name}<br><small>{escape(figure['about'])}</small></td>{cells}<td>{escape(figure['unit'])}</td></tr>"
    )


def _cell(value: Mapping[str, float | None]) -> str:
    if value["value"] is None:
        return "–"
    interval = "" if value["low"] is None else f"<br><small>{value['low']:.4g} to {value['high']:.4g}</small>"
    return f"{value['value']:.4g}{interval}"


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
