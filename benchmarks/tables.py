"""Markdown tables between markers on documentation pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

_MARKED = re.compile(r"(<!-- (?P<name>[a-z ]+) table: begin -->\n).*?(<!-- (?P=name) table: end -->)", re.S)


def replace_tables(page: str, table: Callable[[str], str]) -> str:
    """Return a page with the text between ``<!-- NAME table: begin -->`` and ``<!-- NAME table: end -->`` replaced.

    Args:
        page: text of the page.
        table: function that returns the new text of the table with a given name.
    """
    return _MARKED.sub(lambda match: f"{match[1]}{table(match['name'])}{match[3]}", page)


def markdown_table(head: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    """Return a Markdown table."""
    head = tuple(head)
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def shown_number(value: float | None, digits: int = 3) -> str:
    """Return a number with this many decimals and a true minus sign; a dash for None and NaN."""
    return "–" if value is None or value != value else f"{value:.{digits}f}".replace("-", "−")


def shown_interval(value: float, low: float, high: float, digits: int = 3) -> str:
    """Return a number with its confidence interval, as ``0.51 (0.45 to 0.56)``."""
    return f"{shown_number(value, digits)} ({shown_number(low, digits)} to {shown_number(high, digits)})"
