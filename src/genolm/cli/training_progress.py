"""What a training run shows while it goes on: a bar in a terminal, plain lines in a pipe or a log."""

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
    """A function that shows each report of a run of so many steps, on stderr."""
    if not sys.stderr.isatty():
        yield print_report
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.fields[told]}"))
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("steps", total=steps, told="")

        def report(values: Mapping[str, Any]) -> None:
            if values.get("bits_per_base") is None:
                progress.console.print(as_line(values), markup=False, highlight=False, soft_wrap=True)
                return
            speed = shown(values["tokens_per_second"])
            unit = "tokens" if "nats_per_token" in values else "bases"
            told = f"{values['bits_per_base']:.4f} bits/base  {speed} {unit}/s"
            progress.update(task, completed=values["step"], told=told)

        yield report


def print_report(report: Mapping[str, Any]) -> None:
    """A report as one line on stderr."""
    typer.echo(as_line(report), err=True)


def as_line(report: Mapping[str, Any]) -> str:
    """Names and values of a report, one after the other."""
    return "  ".join(f"{name} {shown(value)}" for name, value in report.items())


def writes() -> bool:
    """Whether this is the process of a run that speaks: the first of those that a launcher started, or the only one."""
    return os.environ.get("RANK", "0") == "0"
