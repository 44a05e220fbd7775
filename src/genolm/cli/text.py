"""How verbs print what they found: aligned plain text for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import typer


def print_json(value: object) -> None:
    """The value as indented JSON on stdout; paths and other objects as their text."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def print_table(rows: Iterable[Mapping[str, Any]]) -> None:
    """Mappings of the same keys as aligned columns under a line of names; nothing for no rows."""
    rows = list(rows)
    if rows:
        names = list(rows[0])
        _print_aligned([names, *([shown(row[name]) for name in names] for row in rows)])


def print_fields(fields: Mapping[str, Any]) -> None:
    """One ``name  value`` line for each field."""
    _print_aligned([[name.replace("_", " "), shown(value)] for name, value in fields.items()])


def shown(value: object) -> str:
    """A value as people read it: ``-`` for none, thousands separated, lists joined by commas."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(shown(item) for item in value)
    return str(value)


def gigabytes(size: int) -> str:
    """Bytes as ``2.49 GB``; small ones as ``0.3 MB``."""
    return f"{size / 1e9:,.2f} GB" if size >= 1e8 else f"{size / 1e6:,.1f} MB"


def _print_aligned(lines: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        typer.echo("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
