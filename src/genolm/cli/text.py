"""Output of commands: aligned text for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from genolm.remedies import Remedy


def print_json(value: object) -> None:
    """Print a value as indented JSON; paths and other objects as text."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file that genolm wrote."""
    value: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return value


def print_table(rows: Iterable[Mapping[str, Any]]) -> None:
    """Print mappings with the same keys as aligned columns with a header; print nothing if there are no rows."""
    rows = list(rows)
    if rows:
        names = list(rows[0])
        _print_aligned([names, *([shown(row[name]) for name in names] for row in rows)])


def print_fields(fields: Mapping[str, Any]) -> None:
    """Print one ``name  value`` line for each field."""
    _print_aligned([[name.replace("_", " "), shown(value)] for name, value in fields.items()])


def print_progress(text: str) -> None:
    """Replace the progress line on the terminal, on standard error; empty text clears it."""
    typer.echo(f"\r\033[K{text[:100]}", nl=False, err=True)


def shown(value: object) -> str:
    """Return a value as readable text: ``-`` for None, thousands separators, lists joined by commas."""
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


def shown_interval(value: float | None, low: float | None, high: float | None) -> str:
    """Return a value with its confidence interval, as ``0.5 [0.4, 0.6]``."""
    if value is None:
        return "-"
    ends = "" if low is None else f" [{low:.4g}, {high:.4g}]"
    return f"{value:.4g}{ends}"


def as_option(remedy: Remedy) -> str:
    """Return a remedy as an option: ``--overwrite``, ``--no-rc``, ``--on-mismatch skip``, or ``--genome``."""
    name = remedy.option.rstrip("_").replace("_", "-")
    match remedy.value:
        case True | None:
            return f"--{name}"
        case False:
            return f"--no-{name}"
        case value:
            return f"--{name} {value}"


def percent(fraction: float | None) -> str:
    """Return a fraction as ``12.3 %``; ``-`` for None."""
    return "-" if fraction is None else f"{100 * fraction:.1f} %"


def gigabytes(size: int) -> str:
    """Return a number of bytes as ``2.49 GB``, or ``0.3 MB`` below 100 MB."""
    return f"{size / 1e9:,.2f} GB" if size >= 1e8 else f"{size / 1e6:,.1f} MB"


def _print_aligned(lines: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        typer.echo("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
