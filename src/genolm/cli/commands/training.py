"""Presentation of simulate, pretrain and finetune."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import typer

from genolm.cli.presentation import Invocation, Presented
from genolm.cli.reporter import print_closing, print_line
from genolm.cli.text import shown

if TYPE_CHECKING:
    from genolm.training.trainer.training_plan import TrainingPlan

Report = Callable[[Mapping[str, Any]], None]

_LOSSES = {"bits_per_base": "bits/base", "nats_per_token": "nats/token", "loss": "loss"}
"""Losses of reports, with their forms in the progress bar."""


def simulate(call: Invocation) -> None:
    """Print the number of contigs, bases, genes and variants, and the path of the output."""
    from genolm.engine.summary import Summary

    genome = call()
    lengths = genome.lengths.values()
    results = {"genes": genome.genes, "variants": genome.variants}
    print_closing(Summary({"contigs": len(lengths), "bases": sum(lengths)}, results=results), call.out())
    print_line(f"see {genome.readme}")


def pretrain(call: Invocation) -> None:
    """Show the reports of the run, and the path of the model."""
    from genolm.training.recipes.pretrain_recipe import Recipe

    _train(call, Recipe.load(call.values["recipe"]))


def finetune(call: Invocation) -> None:
    """Show the reports of the run, and the path of the model or adapter."""
    from genolm.training.recipes.finetune_recipe import FinetuneRecipe

    _train(call, FinetuneRecipe.load(call.values["recipe"]))


def _train(call: Invocation, recipe: TrainingPlan) -> None:
    from genolm.training.trainer.run_folder import describe_run

    steps = call.values.get("steps") or recipe.steps
    with training_reports(min(steps, recipe.steps)) as report:
        model = replace(call, values={**call.values, "recipe": recipe})(log=report)
    if _is_first_process():
        print_closing(describe_run(call.out(), recipe), model)


@contextmanager
def training_reports(steps: int) -> Iterator[Report]:
    """Provide a function that shows the reports of a run of ``steps`` steps on standard error."""
    if not sys.stderr.isatty():
        yield _print_report
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.fields[metrics]}"))
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("steps", total=steps, metrics="")

        def report(values: Mapping[str, Any]) -> None:
            loss = next((name for name in _LOSSES if values.get(name) is not None), None)
            if loss is None or "tokens_per_second" not in values:
                progress.console.print(_as_line(values), markup=False, highlight=False, soft_wrap=True)
                return
            unit = "bases" if loss == "bits_per_base" and "nats_per_token" not in values else "tokens"
            metrics = f"{values[loss]:.4f} {_LOSSES[loss]}  {shown(values['tokens_per_second'])} {unit}/s"
            progress.update(task, completed=values["step"], metrics=metrics)

        yield report


def _print_report(report: Mapping[str, Any]) -> None:
    """Print a report as one line on standard error."""
    typer.echo(_as_line(report), err=True)


def _as_line(report: Mapping[str, Any]) -> str:
    """Return the names and values of a report on one line."""
    return "  ".join(f"{name} {shown(value)}" for name, value in report.items())


def _is_first_process() -> bool:
    """Return whether this is rank 0 of a distributed run, or the only process."""
    return os.environ.get("RANK", "0") == "0"


PRESENTED = {
    "simulate": Presented(simulate),
    "pretrain": Presented(pretrain, resumable=True),
    "finetune": Presented(finetune, resumable=True),
}
