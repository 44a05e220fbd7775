"""Presentation of scan and cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from genolm.cli.presentation import bulk
from genolm.cli.text import print_table, read_json


def _show_means(out: Path) -> None:
    """Print the means over seeds."""
    print_table(_rounded(row) for row in read_json(out / "cluster.json")["summary"])


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    return {name: f"{value:.3f}" if isinstance(value, float) else value for name, value in row.items()}


PRESENTED = {"scan": bulk(), "cluster": bulk(_show_means)}
