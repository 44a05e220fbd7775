"""Figures of a report as SVG that takes colours and font from the page."""

from __future__ import annotations

import io
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genolm.tasks.report.discrimination import Auroc
from genolm.tasks.report.scored_variants import ScoredAllele
from genolm.tasks.report.signal_profiles import REACH, Profile

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Placeholders for the colours of the page's style sheet in light and dark mode.
INK, MUTED, LINE = "#010101", "#020202", "#030303"
SERIES = tuple(f"#0a0a{row:02x}" for row in range(1, 8))
_VARIABLES = {INK: "--ink", MUTED: "--muted", LINE: "--line"} | {
    colour: f"--series-{row}" for row, colour in enumerate(SERIES, start=1)
}
_POSITIVE, _NEGATIVE, _UNKNOWN = SERIES[1], SERIES[0], MUTED
_MAX_POINTS = 250  # per row of a strip plot


def score_histogram(groups: Mapping[str, Sequence[float]], colours: Mapping[str, str], label: str, name: str) -> str:
    """Draw overlaid densities of the scores of each label; ``name`` keeps the ids of several figures distinct."""
    figure, axes = _new(6.4, 3.4)
    values = np.concatenate([np.asarray(list(scores)) for scores in groups.values()])
    low, high = np.quantile(values, [0.005, 0.995])
    bins = np.linspace(low, high, 41) if high > low else np.linspace(low - 1, low + 1, 41)
    for group, scores in groups.items():
        clipped = np.clip(scores, bins[0], bins[-1])
        style: dict[str, Any] = {"bins": bins, "density": True, "color": colours.get(group, SERIES[0])}
        axes.hist(clipped, alpha=0.25, **style)
        axes.hist(clipped, histtype="step", linewidth=1.8, label=f"{group} (n = {len(scores):,})", **style)
    axes.axvline(0, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.set_xlabel(label)
    axes.set_ylabel("density")
    axes.legend(frameon=False, labelcolor=INK)
    return _svg(figure, f"histogram-{name}")


def score_strips(alleles: Sequence[ScoredAllele], colours: Mapping[str, str], label: str) -> str:
    """Draw every score as a point, one row per effect, sorted by the median, which is marked by a bar."""
    rows: dict[tuple[str, str], list[float]] = defaultdict(list)
    for allele in alleles:
        if allele.score is not None and allele.effect:
            rows[allele.effect, allele.truth].append(allele.score)
    ordered = sorted(rows.items(), key=lambda row: float(np.median(row[1])))
    figure, axes = _new(9.6, 0.9 + 0.36 * len(ordered))
    random = np.random.default_rng(0)
    for row, ((_, truth), scores) in enumerate(ordered):
        shown = np.asarray(scores)[:_MAX_POINTS]
        heights = row + random.uniform(-0.26, 0.26, len(shown))
        axes.scatter(shown, heights, s=9, color=colours.get(truth, _UNKNOWN), alpha=0.45, linewidths=0)
        axes.plot([np.median(scores)] * 2, [row - 0.34, row + 0.34], color=INK, linewidth=2)
    axes.axvline(0, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.set_yticks(range(len(ordered)), [f"{effect} ({len(scores)})" for (effect, _), scores in ordered])
    axes.set_xlabel(label)
    return _svg(figure, "strips")


def auroc_rows(rows: Sequence[tuple[str, Auroc, Auroc]]) -> str:
    """Draw the AUROC with its interval for each row: the model's filled, the baseline's open."""
    figure, axes = _new(6.4, 1.1 + 0.42 * len(rows))
    for row, (_, model, baseline) in enumerate(reversed(rows)):
        _interval_mark(axes, row + 0.12, model, SERIES[0], filled=True)
        _interval_mark(axes, row - 0.16, baseline, MUTED, filled=False)
    axes.axvline(0.5, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.set_yticks(range(len(rows)), [f"{name} ({model.positives})" for name, model, _ in reversed(rows)])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlabel("AUROC with 95 % bootstrap interval (0.5 = chance)")
    axes.plot([], [], "o", color=SERIES[0], label="model")
    axes.plot([], [], "o", color=MUTED, markerfacecolor="none", label="composition alone")
    axes.legend(frameon=False, labelcolor=INK, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return _svg(figure, "auroc")


def embedding_scatter(points: NDArray[np.float64], kinds: Sequence[str], shares: NDArray[np.float64]) -> str:
    """Draw the first two principal components, coloured by kind."""
    figure, axes = _new(9.6, 4.6)
    names = sorted(set(kinds))
    for row, name in enumerate(names):
        chosen = points[[kind == name for kind in kinds]][:1500]
        colour, marker = SERIES[row % len(SERIES)], "osD^vPX"[row // len(SERIES) % 7]
        axes.scatter(chosen[:, 0], chosen[:, 1], s=18, alpha=0.7, color=colour, marker=marker, linewidths=0, label=name)
    axes.set_xlabel(f"principal component 1 ({shares[0]:.0%} of the variance)")
    axes.set_ylabel(f"principal component 2 ({shares[1]:.0%})")
    axes.legend(frameon=False, labelcolor=INK, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return _svg(figure, "embedding")


def profile_panels(profiles: Sequence[Profile], label: str) -> str:
    """Draw one panel per signal: mean and standard error, 5' to 3'."""
    rows = (len(profiles) + 1) // 2
    figure, panels = _new_grid(9.6, 0.6 + 2.3 * rows, rows, min(2, len(profiles)))
    offsets = np.arange(-REACH, REACH)
    for axes, profile in zip(panels, profiles):
        axes.fill_between(
            offsets, profile.mean - profile.error, profile.mean + profile.error, color=SERIES[0], alpha=0.2, lw=0
        )
        axes.plot(offsets, profile.mean, color=SERIES[0], linewidth=1.4)
        axes.axvline(-0.5, color=SERIES[1], linewidth=1, linestyle=(0, (4, 3)))
        axes.set_title(f"{profile.name} ({profile.sites} sites)", color=INK, fontsize=10, loc="left")
    for axes in panels[len(profiles) :]:
        axes.set_visible(False)
    figure.supxlabel("bases from the signal, 5' to 3'", color=INK, fontsize=10)
    figure.supylabel(label, color=INK, fontsize=10)
    return _svg(figure, "profiles")


def class_colours(names: Sequence[str], positive: Sequence[str], negative: Sequence[str]) -> dict[str, str]:
    """Return the colours of labels: fixed for positives and negatives, the remaining ones in turn for other labels."""
    known = dict.fromkeys(positive, _POSITIVE) | dict.fromkeys(negative, _NEGATIVE)
    free = [colour for colour in SERIES if colour not in known.values()]
    others = [name for name in names if name not in known]
    return known | {name: free[row % len(free)] for row, name in enumerate(others)}


def _interval_mark(axes: Axes, height: float, area: Auroc, colour: str, *, filled: bool) -> None:
    axes.plot([area.low, area.high], [height, height], color=colour, linewidth=1.8, solid_capstyle="round")
    axes.plot([area.value], [height], "o", markersize=6, color=colour, markerfacecolor=colour if filled else "none")


def _new(width: float, height: float) -> tuple[Figure, Axes]:
    figure, panels = _new_grid(width, height, 1, 1)
    return figure, panels[0]


def _new_grid(width: float, height: float, rows: int, columns: int) -> tuple[Figure, list[Axes]]:
    """Return a figure and its panels, in the placeholder colours."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    panels = [figure.add_subplot(rows, columns, row) for row in range(1, rows * columns + 1)]
    for axes in panels:
        axes.set_facecolor("none")
        axes.tick_params(colors=MUTED, labelcolor=INK, labelsize=9)
        axes.grid(color=LINE, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.xaxis.label.set_color(INK)
        axes.yaxis.label.set_color(INK)
        for side, spine in axes.spines.items():
            spine.set_visible(side in {"left", "bottom"})
            spine.set_color(MUTED)
    return figure, panels


def _svg(figure: Figure, name: str) -> str:
    """Return the ``<svg>`` element; the same figure always yields the same text."""
    from matplotlib import rc_context

    file = io.StringIO()
    with rc_context({"svg.hashsalt": name, "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _fit(file.getvalue()[file.getvalue().index("<svg") :], name)


def _fit(text: str, name: str) -> str:
    """Adapt an SVG to the page: its colours and font, scalable, with unique ids."""
    replacements: list[tuple[str, str | Callable[[re.Match[str]], str]]] = [
        (r"<metadata>.*?</metadata>", ""),
        (r'(<svg[^>]*?) width="[^"]*"', r"\1"),
        (r'(<svg[^>]*?) height="[^"]*"', r"\1"),
        (r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px"),
        (r'id="([^"]+)"', rf'id="{name}-\1"'),
        (r"url\(#", f"url(#{name}-"),
        (r'href="#', f'href="#{name}-'),
        (r"#0[0-9a-f]{5}", lambda match: f"var({_VARIABLES[match[0]]})" if match[0] in _VARIABLES else match[0]),
    ]
    for pattern, replacement in replacements:
        text = re.sub(pattern, replacement, text, flags=re.DOTALL)
    return text
