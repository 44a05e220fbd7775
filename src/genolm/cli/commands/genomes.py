"""Commands for genomes: scan and cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from genolm.cli.decorators import bulk, with_printed_result
from genolm.cli.options import (
    Context,
    FolderOption,
    From,
    Layer,
    OptionalModelName,
    Passes,
    Pooling,
    Seed,
    Strands,
    TableFormat,
    arguments,
    in_range,
    keep_settings,
    model_names,
)
from genolm.cli.text import print_table, read_json


def scan(
    ctx: typer.Context,
    model: OptionalModelName = None,
    genome: Annotated[
        str | None,
        typer.Argument(metavar="GENOME", help="Genome: FASTA, GenBank or EMBL; may be gzipped.", show_default=False),
    ] = None,
    *,
    out: Annotated[
        Path,
        typer.Option("--out", metavar="PREFIX", help="Output prefix: writes PREFIX.bw, PREFIX.bed and PREFIX.json."),
    ],
    from_: From = None,
    minus: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Second model; its surprisal is subtracted from the first's.",
            autocompletion=model_names,
        ),
    ] = None,
    combine: Annotated[
        Literal["mean", "min", "forward", "reverse"],
        typer.Option(help="How to combine the surprisal of the two strands; forward and reverse read one strand only."),
    ] = "mean",
    per_strand: Annotated[
        bool, typer.Option("--per-strand", help="Also write PREFIX.forward.bw and PREFIX.reverse.bw.")
    ] = False,
    window: Annotated[
        int | None,
        typer.Option(
            callback=in_range(1),
            metavar="BASES",
            help="Window length in bases. Default: 45,000, or the model's maximum if that is shorter.",
        ),
    ] = None,
    overlap: Annotated[
        int | None,
        typer.Option(
            callback=in_range(0),
            metavar="BASES",
            help="Overlap of neighbouring windows in bases. Default: 5,000, or a quarter of a shorter window.",
        ),
    ] = None,
    passes: Passes = None,
    call: Annotated[
        Literal["high", "low", "both", "none"],
        typer.Option("--call", help="Call intervals of high surprisal, low surprisal, both or none."),
    ] = "high",
    smooth: Annotated[
        int,
        typer.Option(callback=in_range(1), metavar="BASES", help="Smoothing window in bases, applied before calling."),
    ] = 1000,
    enter: Annotated[
        float, typer.Option(callback=in_range(0), metavar="Z", help="z-score that an interval must reach somewhere.")
    ] = 3.0,
    leave: Annotated[
        float,
        typer.Option(callback=in_range(0), metavar="Z", help="z-score that an interval must keep throughout."),
    ] = 1.5,
    min_length: Annotated[
        int, typer.Option(callback=in_range(1), metavar="BASES", help="Minimum length of an interval in bases.")
    ] = 1000,
    fdr: Annotated[
        float,
        typer.Option(callback=in_range(0, 1), metavar="RATE", help="Maximum false-discovery rate (0 to 1)."),
    ] = 0.05,
    block: Annotated[
        int,
        typer.Option(callback=in_range(1), metavar="BASES", help="Block length of the shuffled null track in bases."),
    ] = 250,
    shuffles: Annotated[
        int, typer.Option(callback=in_range(1), metavar="N", help="Number of shuffled null tracks.")
    ] = 100,
    seed: Seed = 0,
    genes: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Gene annotation (GFF3, GTF, GenBank or EMBL): measure how well surprisal separates coding from"
            " intergenic sequence.",
        ),
    ] = None,
    gene_window: Annotated[
        int, typer.Option(callback=in_range(1), metavar="BASES", help="Window length in bases for --genes.")
    ] = 100,
    order: Annotated[
        int,
        typer.Option(callback=in_range(0, 9), metavar="K", help="Order of the Markov baseline for --genes, 0 to 9."),
    ] = 5,
    twin: Annotated[
        bool,
        typer.Option("--twin", help="Add an untrained model as a baseline for --genes; doubles the computing time."),
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also plot tracks, intervals and genes: .png, .svg or .pdf (extra: plots)."),
    ] = None,
    settings: dict[str, Any],
) -> Path:
    """Compute surprisal along genomes and call unusual intervals.

    PREFIX.bw has the surprisal of each base in nats, PREFIX.bed the called intervals, PREFIX.json the settings and a
    summary of each contig.
    """
    from genolm.tasks.scanning.scan import scan as function

    values = {
        "model": model,
        "genome": genome,
        "minus": minus,
        "combine": combine,
        "per_strand": per_strand,
        "window": window,
        "overlap": overlap,
        "passes": passes,
        "side": call,
        "smooth": smooth,
        "enter": enter,
        "leave": leave,
        "min_length": min_length,
        "max_fdr": fdr,
        "block": block,
        "shuffles": shuffles,
        "seed": seed,
        "genes": genes,
        "gene_window": gene_window,
        "order": order,
        "twin": twin,
        "plot": plot,
        **settings,
    }
    given = arguments(ctx, values, from_, "model", "genome", side="call", max_fdr="fdr", token_budget="batch_tokens")
    path: Path = function(out=out, **given)
    return path


def cluster(
    ctx: typer.Context,
    model: OptionalModelName = None,
    genomes: Annotated[
        list[Path] | None,
        typer.Argument(metavar="GENOMES", help="FASTA, GenBank or EMBL files, one per genome; may be gzipped."),
    ] = None,
    *,
    out: FolderOption,
    from_: From = None,
    length: Annotated[
        list[int] | None,
        typer.Option(
            metavar="BASES",
            help="Fragment length in bases; repeatable: each length is clustered separately. Default: 5,000.",
        ),
    ] = None,
    per_genome: Annotated[
        int, typer.Option(callback=in_range(1), metavar="N", help="Maximum number of random fragments per genome.")
    ] = 50,
    max_n: Annotated[
        float,
        typer.Option(
            callback=in_range(0, 1), metavar="FRACTION", help="Skip fragments with a larger fraction of N than this."
        ),
    ] = 0.05,
    labels: Annotated[
        str,
        typer.Option(
            metavar="files|none|TSV",
            help="Species labels: each file is a species; none; or a table (TSV) with the columns genome and label.",
        ),
    ] = "files",
    k: Annotated[
        int | None,
        typer.Option("--k", metavar="N", help="Number of k-means clusters. Default: the number of species."),
    ] = None,
    layer: Layer = None,
    pooling: Pooling = "mean",
    rc: Strands = False,
    twin: Annotated[
        bool, typer.Option("--twin/--no-twin", help="Also cluster embeddings of an untrained model, as a baseline.")
    ] = True,
    reduce: Annotated[
        Literal["umap", "pca", "none"],
        typer.Option(help="Reduction of embeddings to 10 dimensions before clustering."),
    ] = "umap",
    seed: Seed = 42,
    repeats: Annotated[
        int,
        typer.Option(callback=in_range(1), metavar="N", help="Repeats of UMAP and k-means, each with its own seed."),
    ] = 3,
    resample: Annotated[
        Literal["genomes", "fragments"], typer.Option(help="Resampling unit of the confidence intervals.")
    ] = "genomes",
    context: Context = None,
    tables: TableFormat = "tsv",
    settings: dict[str, Any],
) -> Path:
    """Cluster genome fragments by their embeddings.

    Baselines are tetranucleotide frequencies and an untrained model. Needs the extra cluster.
    """
    from genolm.tasks.clustering.cluster import cluster as function

    values = {
        "model": model,
        "genomes": genomes,
        "length": length or 5000,
        "per_genome": per_genome,
        "max_n": max_n,
        "labels": labels,
        "k": k,
        "layer": layer,
        "pooling": pooling,
        "rc": rc,
        "twin": twin,
        "reduce": reduce,
        "seed": seed,
        "repeats": repeats,
        "resample": resample,
        "context": context,
        "tables": tables,
        **settings,
    }
    function(out=out, **arguments(ctx, values, from_, "model", "genomes", token_budget="batch_tokens"))
    return out


def _show_means(out: Path) -> None:
    """Print the means over seeds."""
    print_table(_rounded(row) for row in read_json(out / "cluster.json")["summary"])


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    return {name: f"{value:.3f}" if isinstance(value, float) else value for name, value in row.items()}


SCAN = bulk(scan, keep_settings)
CLUSTER = with_printed_result(bulk(cluster, keep_settings), _show_means)
