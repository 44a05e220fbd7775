"""Small HTML representations for notebooks."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from genolm.engine.summary import numbered

if TYPE_CHECKING:
    import polars as pl

_CELL = "padding:2px 10px 2px 0;text-align:left;vertical-align:top"
_TABLE = "border-collapse:collapse;font-size:0.9em;margin:4px 0"
_TEXT = 40  # letters shown of a long text
_COLUMNS = 10  # columns shown of a wide table


def paragraph(*facts: str, title: str = "") -> str:
    """Return facts in one line, after a bold title."""
    bold = f"<b>{escape(title)}</b> " if title else ""
    return f'<p style="margin:2px 0">{bold}{" · ".join(map(escape, facts))}</p>'


def fields_html(fields: Mapping[str, str]) -> str:
    """Return a table of two columns: name and value."""
    rows = (f"<tr>{_cell(name, 'th')}{_cell(value)}</tr>" for name, value in fields.items())
    return f'<table style="{_TABLE}">{"".join(rows)}</table>'


def rows_html(table: pl.DataFrame, count: int) -> str:
    """Return the first rows of a table, and the number of those that are not shown."""
    shown = table.head(count)[:, :_COLUMNS]
    header = "".join(_cell(name, "th") for name in shown.columns)
    rows = "".join(f"<tr>{''.join(map(_cell, map(_text, row)))}</tr>" for row in shown.iter_rows())
    html = f'<div style="overflow-x:auto"><table style="{_TABLE}"><tr>{header}</tr>{rows}</table></div>'
    left = [(table.height - shown.height, "rows"), (table.width - shown.width, "columns")]
    more = [numbered(number, f"more {noun}") for number, noun in left if number]
    return html + (paragraph(", ".join(more)) if more else "")


def _cell(text: str, tag: str = "td") -> str:
    return f'<{tag} style="{_CELL}">{escape(text)}</{tag}>'


def _text(value: object) -> str:
    match value:
        case None:
            return "–"
        case float():
            return f"{value:.6g}"
        case list() | tuple() | np.ndarray():
            numbers = [_text(float(one)) for one in value[:3]]
            return f"[{', '.join(numbers)}{', …' if len(value) > 3 else ''}]"
    text = str(value)
    return text if len(text) <= _TEXT else f"{text[: _TEXT - 1]}…"
