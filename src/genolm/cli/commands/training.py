"""Commands that create example data and train models: simulate, pretrain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genolm.cli.failures import with_error_messages
from genolm.cli.options import Overwrite, Seed, in_range
from genolm.cli.reporter import print_closing, print_line
from genolm.cli.training_progress import is_first_process, training_reports


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
    from genolm.training.trainer.run_folder import trained

    loaded = Recipe.load(recipe)
    with training_reports(min(steps or loaded.steps, loaded.steps)) as report:
        model = function(loaded, out, resume=resume, steps=steps, log=report)
    if is_first_process():
        print_closing(trained(out, loaded), model)


COMMANDS = (with_error_messages(simulate), with_error_messages(pretrain, resumable=True))
