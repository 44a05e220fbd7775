"""Verbs that make data and models: simulate, pretrain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genolm.cli.options import Overwrite, Seed, at_least
from genolm.cli.reporter import say, tell
from genolm.cli.training_progress import training_reports, writes


def simulate(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder to write.")],
    *,
    seed: Seed = 0,
    length: Annotated[
        int, typer.Option(callback=at_least(1), metavar="BASES", help="Bases of all contigs together.")
    ] = 400_000,
    contigs: Annotated[int, typer.Option(callback=at_least(2), help="How many contigs; the last one is tiny.")] = 4,
    overwrite: Overwrite = False,
) -> None:
    """Make an example genome.

    With genes, promoters, splice sites, repeats, variants of known effect and RNA coverage.
    """
    from genolm.engine.summary import Summary
    from genolm.genome.simulation.simulate import simulate as function

    made = function(folder, seed=seed, length=length, contigs=contigs, overwrite=overwrite)
    lengths = made.lengths.values()
    results = {"genes": made.genes, "variants": made.variants}
    tell(Summary({"contigs": len(lengths), "bases": sum(lengths)}, results=results), folder)
    say(f"see {made.readme}")


def pretrain(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A YAML file, or the name of a shipped recipe.")],
    out: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of the run: log, checkpoints, model.")],
    *,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint in FOLDER.")] = False,
    steps: Annotated[
        int | None,
        typer.Option(callback=at_least(1), help="Stop after so many steps; the schedule stays the recipe's."),
    ] = None,
) -> None:
    """Train a model from a recipe.

    Started by torchrun it trains on all its processes.
    """
    from genolm.training.pretrain import pretrain as function
    from genolm.training.recipes.pretrain_recipe import Recipe
    from genolm.training.trainer.run_folder import describe_run

    read = Recipe.load(recipe)
    with training_reports(min(steps or read.steps, read.steps)) as report:
        model = function(read, out, resume=resume, steps=steps, log=report)
    if writes():
        tell(describe_run(out, read), model)
