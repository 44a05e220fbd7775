"""Figures: a common style, colours, panels placed in inches, and captions."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genolm.engine.target import check_output
from genolm.errors import InputError
from genolm.files.optional import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT, RULE, EMPTY = "#222222", "#666666", "#d8d8d8", "#ececec"
REAL, NULL, OTHER = "#2b6cb0", "#9a9a9a", "#c5324a"
"""Colours of the model, of its null, and of a second null or highlights."""


def style() -> AbstractContextManager[None]:
    """Return a context with the matplotlib settings of all figures, independent of the user's."""
    import matplotlib

    return matplotlib.rc_context(
        {
            "font.family": "DejaVu Sans",
            "font.size": 8.5,
            "text.color": INK,
            "axes.labelcolor": INK,
            "axes.edgecolor": FAINT,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "xtick.color": INK,
            "ytick.color": INK,
            "legend.frameon": False,
            "svg.hashsalt": "genolm",  # the same ids in every file
        }
    )


@dataclass(frozen=True, slots=True)
class Sheet:
    """A figure with panels placed in inches from its left and top.

    Attributes:
        figure: the figure.
        width: width in inches.
        height: height in inches.
    """

    figure: Figure
    width: float
    height: float

    @classmethod
    def new(cls, width: float, height: float, title: str, subtitle: str) -> Sheet:
        """Return an empty figure with a bold title and a fainter subtitle."""
        sheet = cls.blank(width, height)
        sheet.figure.text(0.12 / width, 1 - 0.22 / height, title, fontsize=11.5, weight="bold", va="center")
        sheet.figure.text(0.12 / width, 1 - 0.46 / height, subtitle, fontsize=8.5, color=FAINT, va="center")
        return sheet

    @classmethod
    def blank(cls, width: float, height: float) -> Sheet:
        """Return an empty figure."""
        from matplotlib.figure import Figure

        return cls(Figure(figsize=(width, height), facecolor="white"), width, height)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Return a panel at a position in inches."""
        bottom = self.height - top - height
        return self.figure.add_axes((left / self.width, bottom / self.height, width / self.width, height / self.height))

    def caption(self, text: str) -> None:
        """Add a caption at the bottom."""
        lines = textwrap.wrap(text, int((self.width - 0.3) * 17))
        self.figure.text(
            0.12 / self.width, 0.1 / self.height, "\n".join(lines), fontsize=7.5, color=FAINT, va="bottom",
            linespacing=1.35,
        )  # fmt: skip


def caption_height(text: str, width: float) -> float:
    """Return the height of a caption in inches, for a sheet of this width in inches."""
    return 0.14 * len(textwrap.wrap(text, int((width - 0.3) * 17))) + 0.18


def colour_bar(
    sheet: Sheet, image: Any, label: str, position: tuple[float, float, float, float], *, extend: str = "neither"
) -> None:
    """Draw the colour bar of an image.

    Args:
        sheet: the figure.
        image: image with a colour scale.
        label: label of the scale.
        position: left, top, width and height in inches.
        extend: ends drawn as arrows, for values beyond the scale: ``neither``, ``both``, ``min`` or ``max``.
    """
    bar = sheet.figure.colorbar(image, cax=sheet.axes(*position), extend=extend)
    bar.set_label(label, fontsize=7.5)
    bar.ax.tick_params(labelsize=7, length=2)
    bar.ax.minorticks_off()
    if bar.ax.get_yscale() == "log":
        low, high = image.get_clim()
        ticks = np.geomspace(low, high, 4).tolist()
        bar.set_ticks(ticks, labels=[f"{tick:.2g}" for tick in ticks])
    bar.outline.set_visible(False)


UNDATED: dict[str, dict[str, None]] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}


COLOURS = {"A": "#2a9d5c", "C": "#2b6cb0", "G": "#e09f1f", "T": "#c5324a"}
"""Colours of the bases in logos."""


def check_plot(out: Path | str | None, packages: Sequence[str] = ("logomaker", "matplotlib")) -> Path | None:
    """Return the path of a plot after checking that it can be drawn and written.

    Args:
        out: path of the plot; None for none.
        packages: packages that draw it.

    Raises:
        InputError: if the format is not supported.
        RunError: if its folder does not exist or is not writable, or the plot is a folder.
        GenolmError: if a package is not installed.
    """
    if out is None:
        return None
    path = Path(out)
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"unsupported plot format; use one of {', '.join(SUFFIXES)}", file=path, code="unknown-format")
    check_output(path, path.name)
    for package in packages:
        require(package, extra="plots", purpose="a plot")
    return path


SUFFIXES = (".png", ".svg", ".pdf")


def require_matplotlib(extra: str) -> None:
    """Check that figures can be drawn, before anything is computed.

    Args:
        extra: the extra of genolm that installs matplotlib.

    Raises:
        GenolmError: matplotlib is not installed.
    """
    require("matplotlib", extra=extra, purpose="a figure")
