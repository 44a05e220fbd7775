"""The verbs of ``genolm corpus``: build and inspect."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from genolm.cli.errors import reported
from genolm.cli.examples import example
from genolm.cli.options import Json, Overwrite
from genolm.cli.reporter import tell
from genolm.cli.text import gigabytes, print_fields, print_json, print_table

app = typer.Typer(
    name="corpus",
    help="Turn FASTA files into a corpus for training: build, inspect.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def build(
    recipe: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE", help="A YAML recipe or its `corpus` mapping, or the name of a shipped recipe."
        ),
    ],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder to write; it appears when it is complete.")],
    *,
    overwrite: Overwrite = False,
) -> None:
    """Clean FASTA files into token shards with a document table."""
    from genolm.training.corpus import build_corpus as function
    from genolm.training.corpus.inspect_corpus import summarise_build

    visible = _in_terminal()
    function(recipe, folder, overwrite=overwrite, progress=_print_progress if visible else None)
    if visible:
        typer.echo("\r\033[K", nl=False, err=True)
    tell(summarise_build(folder), folder)


def _in_terminal() -> bool:
    return sys.stderr.isatty()


def _print_progress(told: str) -> None:
    typer.echo(f"\r\033[K{told[:100]}", nl=False, err=True)


def inspect(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="What `genolm corpus build` wrote.")],
    *,
    json: Json = False,
) -> None:
    """Tell what a built corpus holds, and check every byte of it."""
    from genolm.training.corpus import inspect_corpus as function

    facts = function(folder)
    if json:
        print_json(facts)
        return
    print_fields(_readable(facts))
    typer.echo()
    print_table(_group(row) for row in facts["groups"])
    typer.echo("\nLeft out:" if facts["dropped"] else "\nNothing was left out.")
    print_table({"bases": row["bases"], "contigs": row["contigs"], "why": row["why"]} for row in facts["dropped"])


def _readable(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of the whole corpus on one line each."""
    held_out = [f"{split}: {', '.join(texts)}" for split, texts in facts["held_out"].items()]
    weights = [f"{name} {weight:g}" for name, weight in facts["weights"].items()]
    return {
        "read": f"{facts['read']['bases']:,} bases of {facts['read']['contigs']:,} contigs",
        "shards": f"{facts['shards']:,}, {gigabytes(facts['bytes'])}, all checksums right",
        "held out": "; ".join(held_out),
        "skipped": list(facts["skip"]) or None,
        "strand": facts["strand"],
        "weights": weights or None,
    }


def _group(row: Mapping[str, Any]) -> dict[str, Any]:
    shares = {name: "-" if row[name] is None else f"{100 * row[name]:.1f} %" for name in ("gc", "soft_masked")}
    counts = {name: row[name] for name in ("split", "source", "assembly", "documents", "bases", "longest")}
    return {**counts, "G + C": shares["gc"], "lower case": shares["soft_masked"]}


for _verb in (build, inspect):
    app.command(epilog=example(f"corpus {_verb.__name__}"))(reported(_verb))
