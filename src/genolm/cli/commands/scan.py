"""The verb that runs models along whole genomes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from genolm.cli.options import ModelName, Seed, at_least, bulk, model_names


def scan(
    model: ModelName,
    genome: Annotated[str, typer.Argument(metavar="GENOME", help="FASTA, GenBank or EMBL of whole contigs, also .gz.")],
    *,
    out: Annotated[Path, typer.Option("--out", metavar="PREFIX", help="Writes PREFIX.bw, PREFIX.bed, PREFIX.json.")],
    minus: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="A second model, whose surprise is subtracted from the first's.",
            autocompletion=model_names,
        ),
    ] = None,
    combine: Annotated[
        Literal["mean", "min", "forward", "reverse"], typer.Option(help="How the strands' values become one.")
    ] = "mean",
    per_strand: Annotated[
        bool, typer.Option("--per-strand", help="Write PREFIX.forward.bw and PREFIX.reverse.bw too.")
    ] = False,
    window: Annotated[
        int | None,
        typer.Option(
            callback=at_least(1), metavar="BASES", help="Bases read together; default 45,000, or what the model can."
        ),
    ] = None,
    overlap: Annotated[
        int | None,
        typer.Option(
            callback=at_least(0), metavar="BASES", help="Of them read again; default 5,000, or a quarter of the window."
        ),
    ] = None,
    passes: Annotated[
        int | None, typer.Option(callback=at_least(1), metavar="N", help="Of encoders: in each every N-th is masked.")
    ] = None,
    call: Annotated[
        Literal["high", "low", "both", "none"], typer.Option("--call", help="Intervals above the mean, below, both.")
    ] = "high",
    smooth: Annotated[
        int, typer.Option(callback=at_least(1), metavar="BASES", help="Window that the track is smoothed with.")
    ] = 1000,
    enter: Annotated[
        float, typer.Option(callback=at_least(0), metavar="Z", help="z-score that an interval reaches.")
    ] = 3.0,
    leave: Annotated[
        float, typer.Option(callback=at_least(0), metavar="Z", help="z-score that it keeps throughout.")
    ] = 1.5,
    min_length: Annotated[int, typer.Option(callback=at_least(1), metavar="BASES", help="Shortest interval.")] = 1000,
    fdr: Annotated[
        float, typer.Option(callback=at_least(0, 1), metavar="RATE", help="Largest false-discovery rate.")
    ] = 0.05,
    block: Annotated[
        int, typer.Option(callback=at_least(1), metavar="BASES", help="Blocks that the null shuffles.")
    ] = 250,
    shuffles: Annotated[int, typer.Option(callback=at_least(1), metavar="N", help="How often it shuffles.")] = 100,
    seed: Seed = 0,
    genes: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Annotation (.gff3, .gtf, .gbk, .embl): coding against intergenic."),
    ] = None,
    gene_window: Annotated[int, typer.Option(callback=at_least(1), metavar="BASES", help="Windows of --genes.")] = 100,
    order: Annotated[
        int, typer.Option(callback=at_least(0, 9), metavar="K", help="Order of the Markov model of --genes.")
    ] = 5,
    twin: Annotated[
        bool, typer.Option("--twin", help="Also a twin of random weights, for --genes; doubles the work.")
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="PICTURE", help="Also draw tracks, intervals and genes: .png, .svg or .pdf."),
    ] = None,
    settings: dict[str, Any],
) -> Path:
    """Surprise along whole genomes, and where it stands out.

    PREFIX.bw holds nats per base, PREFIX.bed the intervals, PREFIX.json settings and contigs.
    """
    from genolm.tasks.scanning.scan import scan as function

    written: Path = function(
        model,
        genome,
        out,
        minus=minus,
        combine=combine,
        per_strand=per_strand,
        window=window,
        overlap=overlap,
        passes=passes,
        side=call,
        smooth=smooth,
        enter=enter,
        leave=leave,
        min_length=min_length,
        max_fdr=fdr,
        block=block,
        shuffles=shuffles,
        seed=seed,
        genes=genes,
        gene_window=gene_window,
        order=order,
        twin=twin,
        plot=plot,
        **settings,
    )
    return written


COMMAND = bulk(scan)
