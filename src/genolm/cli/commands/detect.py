"""Presentation of detect train and detect apply."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from genolm.cli.presentation import bulk
from genolm.cli.text import print_table


def _show_report(out: Path) -> None:
    """Print the evaluation of a detector, and its notes."""
    from genolm.tasks.detection.detector_folder import load_detector

    report = load_detector(out).report
    print_table(_report_row(row) for row in (*report["evaluation"], *report["parts"]))
    for note in report["notes"]:
        typer.echo(f"note: {note}", err=True)


def _report_row(row: Mapping[str, Any]) -> dict[str, Any]:
    name = f"{row['features']}, {row['part']} {row['name']}" if "part" in row else row["features"]
    suffix = " (held out)" if row.get("held_out") else ""
    columns = ("natural", "generated", "auroc", "tpr_at_1", "tpr_at_5", "tpr", "fpr", "f1", "f1_at_half", "brier")
    return {"on other genomes": f"{name}{suffix}"} | {column: row[column] for column in columns}


PRESENTED = {"detect train": bulk(_show_report), "detect apply": bulk()}
