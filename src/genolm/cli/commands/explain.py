"""The verbs of ``genolm explain``: memory, tables, lens, experts and attribution."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from genolm.cli.errors import reported
from genolm.cli.examples import example
from genolm.cli.options import (
    Context,
    Device,
    Iupac,
    Length,
    ModelName,
    Overwrite,
    Precision,
    Quiet,
    Reference,
    Seed,
    at_least,
    bulk,
)
from genolm.cli.reporter import Reporter, quietly, tell

app = typer.Typer(
    name="explain",
    help="Read a model, everything beside a null.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Regions = Annotated[
    str,
    typer.Argument(
        metavar="INPUT", help="FASTA, BED, a table, or one interval as chr22:1,001-2,000; - reads FASTA from stdin."
    ),
]
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder to write; it appears when it is complete.")]
Genes = Annotated[Path | None, typer.Option("--genes", metavar="GTF", help="GTF or GFF3 of genes.")]
Tables = Annotated[Literal["tsv", "parquet"], typer.Option("--tables", help="What tables are written as.")]


def memory(
    model: ModelName,
    inputs: Regions,
    out: Folder,
    *,
    genes: Genes = None,
    genome: Reference = None,
    length: Length = None,
    context: Context = None,
    iupac: Iupac = "raise",
    seed: Seed = 0,
    tables: Tables = "tsv",
    settings: dict[str, Any],
) -> Path:
    """How strongly a k-mer memory writes at each base.

    Compared with random tables. Writes tables, a bigWig for each layer and quantity, and a heat map of each region.
    """
    from genolm.tasks.explain.explain_memory import explain_memory as function

    words: dict[str, Any] = {"genome": genome, "length": length, "context": context, "iupac": iupac}
    function(model, inputs, out, genes=genes, seed=seed, tables=tables, **words, **settings)
    return out


def lens(
    model: ModelName,
    inputs: Regions,
    out: Folder,
    *,
    over: Annotated[
        Literal["bases", "vocabulary"], typer.Option(help="What probabilities add up to one over: ACGT, or all tokens.")
    ] = "bases",
    genome: Reference = None,
    length: Length = None,
    context: Context = None,
    iupac: Iupac = "raise",
    seed: Seed = 0,
    tables: Tables = "tsv",
    settings: dict[str, Any],
) -> Path:
    """Predictions read out after every layer (logit lens).

    Compared with random weights.
    """
    from genolm.tasks.explain.explain_lens import explain_lens as function

    words: dict[str, Any] = {"genome": genome, "length": length, "context": context, "iupac": iupac}
    function(model, inputs, out, over=over, seed=seed, tables=tables, **words, **settings)
    return out


def experts(
    model: ModelName,
    inputs: Regions,
    out: Folder,
    *,
    genes: Genes = None,
    genome: Reference = None,
    length: Length = None,
    context: Context = None,
    iupac: Iupac = "raise",
    seed: Seed = 0,
    tables: Tables = "tsv",
    settings: dict[str, Any],
) -> Path:
    """Which experts each class of bases is routed to.

    Compared with moved labels and random weights.
    """
    from genolm.tasks.explain.explain_experts import explain_experts as function

    words: dict[str, Any] = {"genome": genome, "length": length, "context": context, "iupac": iupac}
    function(model, inputs, out, genes=genes, seed=seed, tables=tables, **words, **settings)
    return out


def tables(
    model: ModelName,
    out: Folder,
    *,
    seed: Seed = 0,
    tables: Tables = "tsv",
    device: Device = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """What the k-mer tables hold: neighbours, strands, codons.

    Compared with random tables.
    """
    from genolm.tasks.explain.explain_tables import explain_tables as function

    function(model, out, seed=seed, tables=tables, device=device, overwrite=overwrite)
    names = sorted(path.stem for path in out.glob(f"*.{tables}"))
    tell(f"{len(names)} tables: {', '.join(names)}", out, quiet=quiet)


def attribution(
    model: ModelName,
    inputs: Regions,
    out: Folder,
    *,
    position: Annotated[
        int | None,
        typer.Option(callback=at_least(1), metavar="N", help="Explain this base alone, 1-based; default all."),
    ] = None,
    genes: Genes = None,
    genome: Reference = None,
    length: Length = None,
    context: Context = None,
    iupac: Iupac = "raise",
    seed: Seed = 0,
    tables: Tables = "tsv",
    device: Device = None,
    dtype: Precision = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Which bases a prediction depends on.

    By mutagenesis and by gradient × input, compared with nulls. At most 1,000 bases of a sequence.
    """
    from genolm.tasks.explain.explain_attribution import explain_attribution as function

    reporter = Reporter(quiet)
    words: dict[str, Any] = {
        "genome": genome,
        "length": length,
        "context": context,
        "iupac": iupac,
        "device": device,
        "dtype": dtype,
    }
    with quietly(quiet):
        function(
            model,
            inputs,
            out,
            position=position,
            genes=genes,
            seed=seed,
            tables=tables,
            overwrite=overwrite,
            progress=reporter,
            **words,
        )
    reporter.close(out, None)


for _verb in (memory, lens, experts):
    app.command(epilog=example(f"explain {_verb.__name__}"))(bulk(_verb))
for _plain in (tables, attribution):
    app.command(epilog=example(f"explain {_plain.__name__}"))(reported(_plain))
