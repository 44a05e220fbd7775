"""Arguments and options shared by several commands: one definition and one help text each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from genolm.cli.reporter import Reporter
from genolm.tasks.reading.seeds import LARGEST


def in_range(low: float, high: float | None = None) -> Callable[[float | None], float | None]:
    """Return an option callback that rejects numbers outside ``low``..``high``; the message repeats the number."""

    def check(value: float | None) -> float | None:
        if value is not None and not (low <= value and (high is None or value <= high)):
            bounds = f"at least {low}" if high is None else f"between {low} and {high}"
            raise typer.BadParameter(f"must be {bounds}, not {value}")
        return value

    return check


def model_names(incomplete: str) -> list[str]:
    """Return the names of known models with this prefix, for shell completion."""
    from genolm.models.zoo.zoo import ZOO

    return [name for name in ZOO if name.startswith(incomplete.lower())]


# Arguments

ModelName = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="Model: a name from `genolm models`, a model folder, or a Hugging Face Hub id.",
        show_default=False,
        autocompletion=model_names,
    ),
]
OptionalModelName = Annotated[str | None, *ModelName.__metadata__]
Sequences = Annotated[
    str,
    typer.Argument(
        metavar="INPUT",
        help="Sequences (FASTA, FASTQ, GenBank, EMBL) or coordinates (BED, VCF, TSV, CSV, Parquet; with --genome)."
        " Text formats may be gzipped. Use - for standard input.",
    ),
]
Table = Annotated[Path, typer.Argument(metavar="OUTPUT", help="Table to write: .parquet, .tsv or .csv.")]
NewFolder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Output folder; it appears when it is complete.")]
FolderOption = Annotated[
    Path, typer.Option("--out", metavar="FOLDER", help="Output folder; it appears when it is complete.")
]

# Genomes and annotation

Reference = Annotated[
    Path | None,
    typer.Option(
        "--genome", metavar="FASTA", help="Reference genome (FASTA, plain or bgzipped); required for coordinates."
    ),
]
RequiredReference = Annotated[
    Path, typer.Option("--genome", metavar="FASTA", help="Reference genome (FASTA, plain or bgzipped).")
]
Length = Annotated[
    int | None,
    typer.Option(
        "--length",
        callback=in_range(1),
        metavar="BASES",
        help="Resize each interval to this many bases, keeping its centre; required for VCF input."
        " Default: intervals as given.",
    ),
]
Iupac = Annotated[
    Literal["raise", "N", "sample"],
    typer.Option(
        "--iupac",
        help="IUPAC ambiguity codes such as R: raise an error, read as N, or sample one of the bases they stand for.",
    ),
]

# Reading by the model

Strands = Annotated[bool, typer.Option("--rc", help="Average the results of both strands.")]
BothStrands = Annotated[
    bool | None,
    typer.Option(
        "--rc/--no-rc",
        help="Average the scores of both strands. Default: on for the methods window and masked, off otherwise.",
    ),
]
Context = Annotated[
    int | None,
    typer.Option(
        "--context",
        callback=in_range(1),
        metavar="BASES",
        help="Maximum window length in bases. Default: the model's maximum.",
    ),
]
LeftContext = Annotated[
    int | None,
    typer.Option(
        "--context",
        callback=in_range(1),
        metavar="BASES",
        help="Methods full and conditional: minimum context before each variant, in bases; default 4,096, or less for"
        " models with a shorter context. Methods window and masked: maximum window length; default the model's"
        " maximum.",
    ),
]
Passes = Annotated[
    int | None,
    typer.Option(
        "--passes",
        callback=in_range(1),
        metavar="N",
        help="Encoders: mask every N-th token, in N passes, so that each token is masked once. Default: 8.",
    ),
]
Layer = Annotated[
    int | None,
    typer.Option(
        "--layer",
        metavar="N",
        help="Layer to read: 0 is the embedding layer, -1 the last. Default: the layer recommended by the model card.",
    ),
]
Pooling = Annotated[
    Literal["mean", "max", "min", "last"],
    typer.Option("--pooling", help="Reduction of the vectors of all tokens to one vector."),
]

# Sampling

WithPrompt = Annotated[
    bool,
    typer.Option(
        "--with-prompt", help="Include the prompts recorded in the FASTA headers; by default they are removed."
    ),
]
Seed = Annotated[
    int, typer.Option("--seed", callback=in_range(0, LARGEST), metavar="N", help="Random seed, 0 or higher.")
]

# Running

Precision = Annotated[
    Literal["float32", "bfloat16", "float16"] | None,
    typer.Option("--dtype", help="Numerical precision. Default: chosen from the model card and the device."),
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="NAME",
        help="Device: cpu, cuda, cuda:1 or mps. Default: the first CUDA device, or else the CPU.",
    ),
]
BatchTokens = Annotated[
    int | None,
    typer.Option(
        "--batch-tokens",
        callback=in_range(1),
        metavar="N",
        help="Maximum tokens per batch. Default: 16,384 on a CPU, 131,072 on a GPU; halved until a batch fits into"
        " memory.",
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Hide the progress bar, the summary and warnings about the data.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Overwrite existing output.")]
TableFormat = Annotated[Literal["tsv", "parquet"], typer.Option("--tables", help="Format of the tables.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def input_settings(
    *,
    genome: Reference = None,
    length: Length = None,
    iupac: Iupac = "raise",
) -> dict[str, Any]:
    """Return the options that say how input is read, as keyword arguments."""
    return {"genome": genome, "length": length, "iupac": iupac}


From = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="PARTS",
        help="Analyse the parts of a run with --keep-parts again, without the model: OUTPUT.parts. Options that are"
        " omitted are those of the run.",
    ),
]


def keep_settings(
    *,
    keep_parts: Annotated[
        bool, typer.Option("--keep-parts", help="Keep the parts of the run, to analyse them again with --from.")
    ] = False,
) -> dict[str, Any]:
    """Return the option that keeps the parts, as a keyword argument."""
    return {"keep_parts": keep_parts}


def arguments(
    ctx: typer.Context, values: dict[str, Any], from_: Path | None, *required: str, **renamed: str
) -> dict[str, Any]:
    """Return the arguments of a verb; with ``--from`` only those that are on the command line.

    Args:
        ctx: context of the command.
        values: arguments by name.
        from_: folder of kept parts.
        required: names of the arguments that must be given without ``--from``.
        renamed: parameters of the command by the names of their arguments, where they differ.
    """
    if from_ is None:
        for parameter in ctx.command.params:
            if parameter.name in required and not values[parameter.name]:
                raise typer.BadParameter("required without --from", ctx=ctx, param=parameter)
        return values
    passed = {
        name: value
        for name, value in values.items()
        if (source := ctx.get_parameter_source(renamed.get(name, name))) is not None and source.name == "COMMANDLINE"
    }
    return {**passed, "progress": values["progress"], "from_": from_}


def bulk_settings(
    *,
    device: Device = None,
    dtype: Precision = None,
    batch_tokens: BatchTokens = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Resume an interrupted run; finished parts are kept.")
    ] = False,
    overwrite: Overwrite = False,
    shard: Annotated[
        str | None,
        typer.Option("--shard", metavar="I/N", help="Run shard I of N, e.g. 2/8; join all shards with `genolm merge`."),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Write nothing: check the input, time a few batches, and print the size, memory and time of the run.",
        ),
    ] = False,
    quiet: Quiet = False,
) -> dict[str, Any]:
    """Return the options of every bulk command, as keyword arguments of the function behind it."""
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
