"""Commands that create example data and train models: simulate, pretrain."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from genolm.cli.failures import with_error_messages
from genolm.cli.options import Overwrite, Seed, in_range
from genolm.cli.reporter import print_closing, print_line
from genolm.cli.text import shown

Report = Callable[[Mapping[str, Any]], None]


def simulate(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Output folder.")],
    *,
    seed: Seed = 0,
    length: Annotated[
        int, typer.Option(callback=in_range(1), metavar="BASES", help="Genome length in bases, all contigs together.")
    ] = 400_000,
    contigs: Annotated[
        int,
        typer.Option(callback=in_range(2), metavar="N", help="Number of contigs, at least 2; the last one is tiny."),
    ] = 4,
    overwrite: Overwrite = False,
) -> None:
    """Simulate an example genome with genes and variants.

    Includes promoters, splice sites, repeats, variants of known effect, and RNA coverage.
    """
    from genolm.engine.summary import Summary
    from genolm.genome.simulation.simulate import simulate as function

    genome = function(folder, seed=seed, length=length, contigs=contigs, overwrite=overwrite)
    lengths = genome.lengths.values()
    results = {"genes": genome.genes, "variants": genome.variants}
    print_closing(Summary({"contigs": len(lengths), "bases": sum(lengths)}, results=results), folder)
    print_line(f"see {genome.readme}")


def pretrain(
    recipe: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE", help="Training recipe: a YAML file, or the name of a recipe that ships with genolm."
        ),
    ],
    out: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder of the run: log, checkpoints and trained model.")
    ],
    *,
    resume: Annotated[bool, typer.Option("--resume", help="Resume from the last checkpoint in FOLDER.")] = False,
    steps: Annotated[
        int | None,
        typer.Option(
            callback=in_range(1),
            metavar="N",
            help="Stop after this many steps; the learning-rate schedule is unchanged. Default: the recipe's steps.",
        ),
    ] = None,
) -> None:
    """Pretrain a model from a recipe.

    For several GPUs or nodes, start it with torchrun.
    """
    from genolm.training.pretrain import pretrain as function
    from genolm.training.recipes.pretrain_recipe import Recipe
    from genolm.training.trainer.run_folder import describe_run

    loaded = Recipe.load(recipe)
    with training_reports(min(steps or loaded.steps, loaded.steps)) as report:
        model = function(loaded, out, resume=resume, steps=steps, log=report)
    if _is_first_process():
        print_closing(describe_run(out, loaded), model)


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
            if values.get("bits_per_base") is None:
                progress.console.print(_as_line(values), markup=False, highlight=False, soft_wrap=True)
                return
            speed = shown(values["tokens_per_second"])
            unit = "tokens" if "nats_per_token" in values else "bases"
            metrics = f"{values['bits_per_base']:.4f} bits/base  {speed} {unit}/s"
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


COMMANDS = (with_error_messages(simulate), with_error_messages(pretrain, resumable=True))
