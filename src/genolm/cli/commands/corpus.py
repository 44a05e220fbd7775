"""Commands of ``genolm corpus``: build and inspect."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from genolm.cli.failures import with_error_messages
from genolm.cli.help import command_group, example
from genolm.cli.options import Json, NewFolder, Overwrite
from genolm.cli.reporter import print_closing
from genolm.cli.text import gigabytes, percent, print_fields, print_json, print_progress, print_table

app = command_group("corpus", "Build or inspect a training corpus.")


def build(
    recipe: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE",
            help="Corpus recipe: a YAML file (a corpus, or a training recipe with a `corpus` section), or the name of"
            " a recipe that ships with genolm.",
        ),
    ],
    folder: NewFolder,
    *,
    overwrite: Overwrite = False,
) -> None:
    """Build a training corpus from FASTA files.

    Cleans the sequences, separates held-out ones, and writes token shards and a table of documents.
    """
    from genolm.training.corpus.build_corpus import build_corpus as function
    from genolm.training.corpus.inspect_corpus import summarise_build

    visible = _in_terminal()
    function(recipe, folder, overwrite=overwrite, progress=print_progress if visible else None)
    if visible:
        print_progress("")
    print_closing(summarise_build(folder), folder)


def _in_terminal() -> bool:
    return sys.stderr.isatty()


def inspect(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Corpus folder from `genolm corpus build`.")],
    *,
    json: Json = False,
) -> None:
    """Summarise a corpus and verify its checksums."""
    from genolm.training.corpus.inspect_corpus import inspect_corpus as function

    facts = function(folder)
    if json:
        print_json(facts)
        return
    print_fields(_readable(facts))
    typer.echo()
    print_table(_group_row(row) for row in facts["groups"])
    typer.echo("\nExcluded:" if facts["dropped"] else "\nNothing was excluded.")
    print_table({"bases": row["bases"], "contigs": row["contigs"], "why": row["why"]} for row in facts["dropped"])


def _readable(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts about the entire corpus as one line per field."""
    held_out = [f"{split}: {', '.join(texts)}" for split, texts in facts["held_out"].items()]
    weights = [f"{name} {weight:g}" for name, weight in facts["weights"].items()]
    return {
        "read": f"{facts['read']['bases']:,} bases in {facts['read']['contigs']:,} contigs",
        "shards": f"{facts['shards']:,}, {gigabytes(facts['bytes'])}, all checksums correct",
        "held out": "; ".join(held_out),
        "skipped": list(facts["skip"]) or None,
        "strand": facts["strand"],
        "weights": weights or None,
    }


def _group_row(row: Mapping[str, Any]) -> dict[str, Any]:
    counts = {name: row[name] for name in ("split", "source", "assembly", "documents", "bases", "longest")}
    return {**counts, "G + C": percent(row["gc"]), "lower case": percent(row["soft_masked"])}


for _command in (build, inspect):
    app.command(epilog=example(f"corpus {_command.__name__}"))(with_error_messages(_command))
