"""Verbs that make data and models: simulate, pretrain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genolm.cli.options import Output


def simulate(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder to write.")],
    *,
    seed: Annotated[int, typer.Option(help="Same seed, same genome.")] = 0,
) -> None:
    """Make an example genome.

    With genes, promoters, splice sites, repeats, variants of known effect and RNA coverage.
    """
    from genolm.genome.simulate import simulate as function

    function(folder, seed=seed)
    typer.echo(f"wrote {folder}", err=True)


def pretrain(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A YAML file, or the name of a shipped recipe.")],
    out: Output,
    *,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint in OUTPUT.")] = False,
) -> None:
    """Train a model from a recipe."""
    from genolm.training.pretrain import pretrain as function

    function(recipe, out, resume=resume)
    typer.echo(f"wrote {out}", err=True)
