"""Presentation of corpus build and corpus inspect."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import typer

from genolm.cli.presentation import JSON, Invocation, Presented
from genolm.cli.reporter import print_closing
from genolm.cli.text import gigabytes, percent, print_fields, print_json, print_progress, print_table


def build(call: Invocation) -> None:
    """Show the contigs that are read, and the summary of the corpus."""
    from genolm.training.corpus.inspect_corpus import summarise_build

    visible = _in_terminal()
    call(progress=print_progress if visible else None)
    if visible:
        print_progress("")
    print_closing(summarise_build(call.out()), call.out())


def _in_terminal() -> bool:
    return sys.stderr.isatty()


def inspect(call: Invocation) -> None:
    """Print the content of a corpus."""
    facts = call()
    if call.json:
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


PRESENTED = {"corpus build": Presented(build), "corpus inspect": Presented(inspect, (JSON,))}
