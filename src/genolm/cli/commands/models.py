"""Presentation of models, info, download and convert."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from genolm.cli.presentation import JSON, Invocation, Presented
from genolm.cli.reporter import print_closing
from genolm.cli.text import gigabytes, print_fields, print_json, print_table

if TYPE_CHECKING:
    from genolm.models.checkpoints.info import HeadInfo, ModelInfo


def models(call: Invocation) -> None:
    """Print a line for each model."""
    print_json(call()) if call.json else print_table(call())


def info(call: Invocation) -> None:
    """Print the facts and the table of memory."""
    facts: ModelInfo = call()
    if call.json:
        print_json(facts)
        return
    print_fields(_readable(facts))
    typer.echo(f"\nMemory in {facts['precision']}, including the weights:")
    print_table([_memory_row(row) for row in facts["memory"]])


def _readable(facts: ModelInfo) -> dict[str, Any]:
    """Return the facts as one line per field, without the table of memory."""
    lines: dict[str, Any] = {name: value for name, value in facts.items() if name not in ("memory", "weights_bytes")}
    weights = [f"{gigabytes(size)} in {kind}" for kind, size in facts["weights_bytes"].items()]
    heads = [_head_line(head) for head in facts["output_heads"]]
    return lines | {"weights": weights, "output_heads": heads, "notes": " ".join(facts["notes"])}


def _head_line(head: HeadInfo) -> str:
    """Return a head as one line: name, kind, and its outputs with their units."""
    units = head["units"] or [""] * len(head["names"])
    outputs = [f"{name} ({unit})" if unit else name for name, unit in zip(head["names"], units, strict=True)]
    kind = "" if head["kind"] == head["name"] else f"{head['kind']}, "
    return f"{head['name']} ({kind}{', '.join(outputs) or head['outputs']} per {head['of']})"


def _memory_row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "tokens": row["tokens"],
        "one pass": gigabytes(row["peak_bytes"]),
        "with cache": gigabytes(row["peak_bytes_with_cache"]),
    }


def download(call: Invocation) -> None:
    """Show the progress of the download and print the path of the model."""
    visible = sys.stderr.isatty()
    path = call(progress=_print_progress if visible else None)
    if visible:
        typer.echo(err=True)
    typer.echo(path)


def _print_progress(name: str, done: int, size: int) -> None:
    typer.echo(f"\r{name}  {gigabytes(done)} of {gigabytes(size)} ", nl=False, err=True)


def convert(call: Invocation) -> None:
    """Print the number and size of the tensors, and the path of the output."""
    from genolm.models.weight_shards import stored

    call()
    tensors, size = stored(call.out())
    print_closing(f"{tensors:,} tensors, {gigabytes(size)}", call.out())


PRESENTED = {
    "models": Presented(models, (JSON,)),
    "info": Presented(info, (JSON,)),
    "download": Presented(download),
    "convert": Presented(convert),
}
