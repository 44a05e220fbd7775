"""Verbs about the models themselves: models, info, download, convert."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from genolm.cli.options import Json, ModelName, Overwrite, model_names
from genolm.cli.reporter import tell
from genolm.cli.text import gigabytes, print_fields, print_json, print_table

if TYPE_CHECKING:
    from genolm.models.checkpoints.info import ModelInfo


def models(*, json: Json = False) -> None:
    """List the models that genolm knows by name."""
    from genolm.models.checkpoints.info import models_table

    rows = models_table()
    print_json(rows) if json else print_table(rows)


def info(model: ModelName, *, json: Json = False) -> None:
    """Describe a model without downloading it.

    Parameters, active parameters, memory for each context length, and its card.
    """
    from genolm.models.checkpoints.info import describe

    facts = describe(model)
    if json:
        print_json(facts)
        return
    print_fields(_readable(facts))
    typer.echo(f"\nMemory in {facts['precision']}, weights included:")
    print_table([_memory_row(row) for row in facts["memory"]])


def _readable(facts: ModelInfo) -> dict[str, Any]:
    """The facts on one line each: bytes as gigabytes, without the table of memory."""
    lines: dict[str, Any] = {name: value for name, value in facts.items() if name not in ("memory", "weights_bytes")}
    weights = [f"{gigabytes(size)} in {kind}" for kind, size in facts["weights_bytes"].items()]
    return lines | {"weights": weights, "notes": " ".join(facts["notes"])}


def _memory_row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "tokens": row["tokens"],
        "one pass": gigabytes(row["peak_bytes"]),
        "with cache": gigabytes(row["peak_bytes_with_cache"]),
    }


def download(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="A name from `genolm models` or a hub id.", autocompletion=model_names),
    ],
    folder: Annotated[
        Path | None, typer.Argument(metavar="FOLDER", help="Where to put it; default the Hugging Face cache.")
    ] = None,
) -> None:
    """Fetch a model.

    A broken download goes on where it stopped; checksums are checked.
    """
    from genolm.models.checkpoints.download import download as function

    visible = sys.stderr.isatty()
    path = function(model, folder, progress=_print_progress if visible else None)
    if visible:
        typer.echo(err=True)
    typer.echo(path)


def _print_progress(name: str, done: int, size: int) -> None:
    typer.echo(f"\r{name}  {gigabytes(done)} of {gigabytes(size)} ", nl=False, err=True)


def convert(
    model: ModelName,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder to write.")],
    *,
    to: Annotated[
        Literal["huggingface", "genolm", "megatron"],
        typer.Option(help="Layout; huggingface loads in transformers and vLLM."),
    ] = "huggingface",
    source: Annotated[
        Literal["huggingface", "genolm", "megatron"] | None,
        typer.Option("--from", help="Layout of MODEL; default: found out."),
    ] = None,
    like: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Model of the same shape, for what a Megatron checkpoint does not say.",
            autocompletion=model_names,
        ),
    ] = None,
    dtype: Annotated[
        Literal["float32", "bfloat16", "float16"] | None, typer.Option(help="Precision to store; default as it is.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a model in another layout.

    The weights stay the same, bit for bit, unless --dtype asks for another precision.
    """
    from genolm.models.checkpoints.convert import convert as function
    from genolm.models.weight_shards import stored

    function(model, folder, layout=to, source_layout=source, like=like, dtype=dtype, overwrite=overwrite)
    tensors, size = stored(folder)
    tell(f"{tensors:,} tensors, {gigabytes(size)}", folder)
