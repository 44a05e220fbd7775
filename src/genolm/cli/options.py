"""Arguments and options that several verbs share: one definition of each, one help text."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from genolm.cli.errors import reported
from genolm.cli.reporter import Reporter, quietly
from genolm.tasks.reading.seeds import LARGEST


def at_least(low: float, high: float | None = None) -> Callable[[float | None], float | None]:
    """A callback of an option that refuses numbers outside ``low``..``high``, naming the number."""

    def check(value: float | None) -> float | None:
        if value is not None and not (low <= value and (high is None or value <= high)):
            bounds = f"at least {low}" if high is None else f"from {low} to {high}"
            raise typer.BadParameter(f"must be {bounds}, not {value}")
        return value

    return check


def model_names(incomplete: str) -> list[str]:
    """Return the names of models that begin like this; the shell offers them when it completes MODEL."""
    from genolm.models.zoo.zoo import ZOO

    return [name for name in ZOO if name.startswith(incomplete.lower())]


ModelName = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A name from `genolm models`, a folder, or a hub id.",
        show_default=False,
        autocompletion=model_names,
    ),
]
Sequences = Annotated[
    str,
    typer.Argument(
        metavar="INPUT",
        help="FASTA, GenBank, EMBL, FASTQ, BED, VCF, TSV, CSV or parquet, also .gz; - reads FASTA from stdin.",
    ),
]
Output = Annotated[Path, typer.Argument(metavar="OUTPUT", help="File to write; its suffix chooses the format.")]
Strands = Annotated[bool, typer.Option("--rc", help="Average with the reverse complement.")]
BothStrands = Annotated[
    bool | None,
    typer.Option("--rc/--no-rc", help="Average with the reverse complement; default with methods window and masked."),
]
Reference = Annotated[
    Path | None, typer.Option("--genome", metavar="FASTA", help="Reference, for input that holds coordinates.")
]
RequiredReference = Annotated[Path, typer.Option("--genome", metavar="FASTA", help="Reference, plain or bgzip.")]
Length = Annotated[
    int | None,
    typer.Option(
        "--length",
        callback=at_least(1),
        metavar="BASES",
        help="Resize intervals around their centre; VCF input needs it.",
    ),
]
LeftContext = Annotated[
    int | None,
    typer.Option(
        "--context",
        callback=at_least(1),
        metavar="BASES",
        help="Bases that at least precede every site; default 4,096, less for models that read less. window, masked:"
        " most bases read together, default what the model can.",
    ),
]
Context = Annotated[
    int | None,
    typer.Option(
        "--context", callback=at_least(1), metavar="BASES", help="Most bases read together; default what the model can."
    ),
]
Precision = Annotated[
    Literal["float32", "bfloat16", "float16"] | None,
    typer.Option("--dtype", help="Precision; default what card and device prefer."),
]
Iupac = Annotated[
    Literal["raise", "N", "sample"],
    typer.Option("--iupac", help="Letters such as R in sequences: an error, read as N, or one of the bases drawn."),
]
Seed = Annotated[
    int, typer.Option("--seed", callback=at_least(0, LARGEST), metavar="N", help="Of everything that is drawn.")
]
Device = Annotated[
    str | None, typer.Option("--device", metavar="NAME", help="cpu, cuda, cuda:1, mps; default the best there is.")
]
BatchTokens = Annotated[
    int | None,
    typer.Option(
        "--batch-tokens",
        callback=at_least(1),
        metavar="N",
        help="Tokens in one batch; default 16,384 on a CPU, 131,072 elsewhere, halved until they fit free memory.",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar, no summary, no warnings about the data.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is already there.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def bulk_settings(
    *,
    device: Device = None,
    dtype: Precision = None,
    batch_tokens: BatchTokens = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the finished parts of a killed run.")] = False,
    overwrite: Overwrite = False,
    shard: Annotated[
        str | None, typer.Option(metavar="I/N", help="Do the I-th of N shares, then `genolm merge`.")
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Write nothing: check the input, measure a few batches, print size, memory and time."
        ),
    ] = False,
    quiet: Quiet = False,
) -> dict[str, Any]:
    """The options of every bulk verb, as the keyword arguments of the function behind it."""
    return {
        "device": device,
        "dtype": dtype,
        "token_budget": batch_tokens,
        "resume": resume,
        "overwrite": overwrite,
        "shard": shard,
        "progress": Reporter(quiet),
        "dry_run": dry_run,
    }


def bulk(verb: Callable[..., Path]) -> Callable[..., None]:
    """The verb with the options of :func:`bulk_settings` added to its own.

    The verb takes them as its keyword argument ``settings`` and returns the path it wrote, which the closing lines name
    after what was done.
    """
    shared = inspect.signature(bulk_settings, eval_str=True).parameters
    own = inspect.signature(verb, eval_str=True)

    @wraps(verb)
    def command(**given: Any) -> None:
        taken = {name: given.pop(name) for name in shared}
        settings = bulk_settings(**taken)
        with quietly(taken["quiet"]):
            out = verb(**given, settings=settings)
        reporter: Reporter = settings["progress"]
        reporter.close(out, taken["shard"])

    kept = [parameter for parameter in own.parameters.values() if parameter.name != "settings"]
    parameters = [*kept, *shared.values()]
    command.__signature__ = own.replace(parameters=parameters, return_annotation=None)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return reported(command, resumable=True)


def shown(command: Callable[..., None], show: Callable[[Path], None]) -> Callable[..., None]:
    """A bulk verb whose result, ``out``, is then printed too, unless it is quiet or leaves its result to merge."""

    @wraps(command)
    def showing(**given: Any) -> None:
        command(**given)
        if not given["quiet"] and given["shard"] is None and not given["dry_run"]:
            show(given["out"])

    return showing
