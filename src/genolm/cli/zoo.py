"""Verbs about the models themselves: models, info, download, convert."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from genolm.cli.options import Json, ModelName
from genolm.cli.text import print_fields, print_json, print_table


def models(*, json: Json = False) -> None:
    """List the models that genolm knows by name."""
    from genolm.models import models_table

    rows = models_table()
    print_json(rows) if json else print_table(rows)


def info(model: ModelName, *, json: Json = False) -> None:
    """Describe a model without downloading it.

    Parameters, active parameters, memory for each context length, and its card.
    """
    from genolm.models import describe

    fields = describe(model)
    print_json(fields) if json else print_fields(fields)


def download(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A name from `genolm models` or a hub id.")],
    folder: Annotated[
        Path | None, typer.Argument(metavar="[FOLDER]", help="Where to put it; default the cache.")
    ] = None,
) -> None:
    """Fetch a model.

    A broken download goes on where it stopped; checksums are checked.
    """
    from genolm.models import download as function

    typer.echo(function(model, folder))


def convert(
    model: ModelName,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder to write.")],
    *,
    to: Annotated[
        Literal["huggingface", "genolm"], typer.Option(help="Layout; huggingface loads in transformers and vLLM.")
    ] = "huggingface",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing FOLDER.")] = False,
) -> None:
    """Write a model in another layout.

    The weights stay the same, bit for bit.
    """
    from genolm.models import convert as function

    function(model, folder, layout=to, overwrite=overwrite)
    typer.echo(f"wrote {folder}", err=True)
