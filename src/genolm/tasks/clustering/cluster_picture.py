"""Scatter plots of fragments in two dimensions, coloured by species, for each set of features."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from genolm.tasks.writing.figure_sheet import FAINT, Sheet, caption_height, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANEL, _GAP, _LEFT, _TOP = 3.0, 0.55, 0.4, 0.95
_LEGEND_LINE = 0.17
_LEGEND_WIDTH = 2.7
_LONGEST_NAME = 34
_MAX_NAMES = 40


@dataclass(frozen=True, slots=True)
class Panel:
    """A scatter plot of fragments.

    Attributes:
        title: name of the features.
        about: subtitle.
        points_N2: coordinates of each fragment.
        groups: species of each fragment, or its cluster if there are no labels.
    """

    title: str
    about: str
    points_N2: NDArray[np.float64]
    groups: Sequence[str]


def draw_clusters(rows: Mapping[str, Sequence[Panel]], title: str, caption: str) -> Figure:
    """Draw a row of panels for each length of fragments, and a legend.

    Args:
        rows: panels by the name of their row.
        title: heading.
        caption: caption.
    """
    columns = max(map(len, rows.values()))
    names = sorted({group for panels in rows.values() for panel in panels for group in panel.groups})
    width = _LEFT + columns * (_PANEL + _GAP) + _LEGEND_WIDTH
    body = max(len(rows) * (_PANEL + _GAP + 0.3) - 0.4, _LEGEND_LINE * min(len(names), _MAX_NAMES + 1))
    with style():
        sheet = Sheet.new(width, _TOP + body + caption_height(caption, width), title, "")
        colours = _colours(names)
        for number, (row, panels) in enumerate(rows.items()):
            top = _TOP + number * (_PANEL + _GAP + 0.3)
            for column, panel in enumerate(panels):
                axes = sheet.axes(_LEFT + column * (_PANEL + _GAP), top, _PANEL, _PANEL)
                _draw(axes, panel, colours)
                if column == 0:
                    axes.set_ylabel(row)
        _legend(sheet, colours, width)
        sheet.caption(caption)
    return sheet.figure


def _draw(axes: Axes, panel: Panel, colours: Mapping[str, tuple[float, ...]]) -> None:
    order = np.random.default_rng(0).permutation(len(panel.groups))  # so that no species covers all others
    shades = [colours[panel.groups[index]] for index in order]
    across, up = panel.points_N2[order].T
    axes.scatter(across, up, c=shades, s=9, linewidths=0, alpha=0.85)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(panel.title, loc="left", fontsize=9.5, weight="bold", pad=14)
    axes.text(0, 1.015, panel.about, transform=axes.transAxes, fontsize=8, color=FAINT, va="bottom")


def _colours(names: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """Return a colour for each name; names that are close in the alphabet differ."""
    from matplotlib.colors import hsv_to_rgb

    golden = (5**0.5 - 1) / 2
    shades = [
        ((number * golden) % 1, (0.85, 0.55)[number // 2 % 2], (0.85, 0.6)[number % 2]) for number in range(len(names))
    ]
    return {name: tuple(map(float, hsv_to_rgb(shade))) for name, shade in zip(names, shades)}


def _legend(sheet: Sheet, colours: Mapping[str, tuple[float, ...]], width: float) -> None:
    shown = list(colours.items())[:_MAX_NAMES]
    axes = sheet.axes(width - _LEGEND_WIDTH, _TOP, _LEGEND_WIDTH, _LEGEND_LINE * (len(shown) + 1))
    axes.set_axis_off()
    axes.set(xlim=(0, _LEGEND_WIDTH), ylim=(-len(shown) - 0.5, 0.5))
    for line, (name, colour) in enumerate(shown):
        axes.scatter([0.1], [-line], color=[colour], s=16, linewidths=0)
        short = textwrap.shorten(name, _LONGEST_NAME, placeholder="…") if " " in name else name[:_LONGEST_NAME]
        axes.text(0.22, -line, short, fontsize=7.5, va="center")
    if len(colours) > len(shown):
        axes.text(0.22, -len(shown), f"and {len(colours) - len(shown)} more", fontsize=7.5, va="center", color=FAINT)
