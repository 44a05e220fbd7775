"""Progress of a training run: a bar in a terminal, plain lines in a pipe or a log."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import typer

from genolm.cli.text import shown

Report = Callable[[Mapping[str, Any]], None]


@contextmanager
def training_reports(steps: int) -> Iterator[Report]:
    """Provide a function that shows the reports of a run of ``steps`` steps on standard error."""
    if not sys.stderr.isatty():
        yield print_report
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.fields[metrics]}"))
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("steps", total=steps, metrics="")

        def report(values: Mapping[str, Any]) -> None:
            if values.get("bits_per_base") is None:
                progress.console.print(as_line(values), markup=False, highlight=False, soft_wrap=True)
                return
            speed = shown(values["tokens_per_second"])
            unit = "tokens" if "nats_per_token" in values else "bases"
            metrics = f"{values['bits_per_base']:.4f} bits/base  {speed} {unit}/s"
            progress.update(task, completed=values["step"], metrics=metrics)

        yield report


def print_report(report: Mapping[str, Any]) -> None:
    """Print a report as one line on standard error."""
    typer.echo(as_line(report), err=True)


def as_line(report: Mapping[str, Any]) -> str:
    """Return the names and values of a report on one line."""
    return "  ".join(f"{name} {shown(value)}" for name, value in report.items())


def is_first_process() -> bool:
    """Return whether this is rank 0 of a distributed run, or the only process."""
    return os.environ.get("RANK", "0") == "0"
