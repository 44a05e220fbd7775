"""Commands about models: models, info, download, convert."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from genolm.cli.failures import with_error_messages
from genolm.cli.options import Json, ModelName, Overwrite, model_names
from genolm.cli.reporter import print_closing
from genolm.cli.text import gigabytes, print_fields, print_json, print_table

if TYPE_CHECKING:
    from genolm.models.checkpoints.info import ModelInfo


def models(*, json: Json = False) -> None:
    """List the models that can be loaded by name."""
    from genolm.models.checkpoints.info import models_table

    rows = models_table()
    print_json(rows) if json else print_table(rows)


def info(model: ModelName, *, json: Json = False) -> None:
    """Describe a model without downloading it.

    Shows total and active parameters, memory by context length, and the model card.
    """
    from genolm.models.checkpoints.info import describe

    facts = describe(model)
    if json:
        print_json(facts)
        return
    print_fields(_readable(facts))
    typer.echo(f"\nMemory in {facts['precision']}, including the weights:")
    print_table([_memory_row(row) for row in facts["memory"]])


def _readable(facts: ModelInfo) -> dict[str, Any]:
    """Return the facts as one line per field, without the table of memory."""
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
        typer.Argument(
            metavar="MODEL",
            help="Model: a name from `genolm models`, or a Hugging Face Hub id.",
            autocompletion=model_names,
        ),
    ],
    folder: Annotated[
        Path | None, typer.Argument(metavar="FOLDER", help="Output folder. Default: the Hugging Face cache.")
    ] = None,
) -> None:
    """Download a model.

    An interrupted download is resumed; checksums are verified. Prints the path of the model.
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
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Output folder.")],
    *,
    to: Annotated[
        Literal["huggingface", "genolm", "megatron"],
        typer.Option(help="Layout to write; huggingface can be loaded by transformers and vLLM."),
    ] = "huggingface",
    source: Annotated[
        Literal["huggingface", "genolm", "megatron"] | None,
        typer.Option("--from", help="Layout of MODEL. Default: detected automatically."),
    ] = None,
    like: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Model of the same architecture, for settings that a Megatron checkpoint does not record.",
            autocompletion=model_names,
        ),
    ] = None,
    dtype: Annotated[
        Literal["float32", "bfloat16", "float16"] | None,
        typer.Option(help="Precision to store. Default: that of MODEL."),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Convert a model to another checkpoint layout.

    The weights stay bitwise identical unless --dtype changes their precision.
    """
    from genolm.models.checkpoints.convert import convert as function
    from genolm.models.weight_shards import stored

    function(model, folder, layout=to, source_layout=source, like=like, dtype=dtype, overwrite=overwrite)
    tensors, size = stored(folder)
    print_closing(f"{tensors:,} tensors, {gigabytes(size)}", folder)


COMMANDS = (
    with_error_messages(models),
    with_error_messages(info),
    with_error_messages(download),
    with_error_messages(convert),
)
