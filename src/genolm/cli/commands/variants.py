"""Commands that score variants and show the scores: variants, mutate, report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from genolm.cli.decorators import bulk
from genolm.cli.failures import with_error_messages
from genolm.cli.options import (
    BothStrands,
    LeftContext,
    ModelName,
    Overwrite,
    Quiet,
    RequiredReference,
    Table,
    in_range,
)
from genolm.cli.reporter import print_closing, printed_notes


def variants(
    model: ModelName,
    inputs: Annotated[
        str,
        typer.Argument(metavar="INPUT", help="Variants: VCF, BCF, TSV, CSV or Parquet, or - for standard input."),
    ],
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUTPUT",
            help="File to write: .vcf, .vcf.gz, .bcf, .parquet, .tsv or .csv, or - for standard output.",
        ),
    ],
    *,
    genome: RequiredReference,
    method: Annotated[
        Literal["full", "conditional", "window", "masked"] | None,
        typer.Option(
            help="full: log-likelihood of the variant and the bases after it. conditional: of the base at the variant"
            " (SNVs only, fast). window: of the tokens that differ and those after them, for decoders with multi-base"
            " tokens. masked: of the tokens that differ, masked, for encoders. Default: the first of these that the"
            " model supports."
        ),
    ] = None,
    context: LeftContext = None,
    horizon: Annotated[
        int,
        typer.Option(
            callback=in_range(1),
            metavar="BASES",
            help="Methods full and window: number of bases to score, from the variant on.",
        ),
    ] = 512,
    rc: BothStrands = None,
    on_mismatch: Annotated[
        Literal["raise", "skip", "flip"],
        typer.Option(
            help="If REF differs from the genome: raise an error; skip the variant; or flip: reverse-complement REF and"
            " ALT if REF then matches, otherwise skip."
        ),
    ] = "raise",
    format: Annotated[
        Literal["vcf", "vcf.gz", "bcf", "tsv", "csv", "parquet"] | None,
        typer.Option(help="Format of standard output (OUTPUT -). Default: vcf for VCF and BCF input, tsv for tables."),
    ] = None,
    settings: dict[str, Any],
) -> Path:
    """Score variants: log-likelihood of ALT minus that of REF.

    Scores are in nats; negative: the ALT allele is less likely than the REF allele. In VCF and BCF output, scores are
    added to INFO.
    """
    from genolm.tasks.variants.variants import variants as function

    function(
        model,
        inputs,
        out,
        genome=genome,
        method=method,
        context=context,
        horizon=horizon,
        rc=rc,
        on_mismatch=on_mismatch,
        format=format,
        **settings,
    )
    return out


def mutate(
    model: ModelName,
    interval: Annotated[
        str, typer.Argument(metavar="INTERVAL", help="Interval, 1-based and inclusive: chr22:1,001-1,200.")
    ],
    out: Table,
    *,
    genome: RequiredReference,
    method: Annotated[
        Literal["conditional", "full", "window", "masked"] | None,
        typer.Option(
            help="Scoring method, as for `genolm variants`. Default: conditional for single-base decoders, otherwise"
            " the method that the model supports."
        ),
    ] = None,
    context: LeftContext = None,
    rc: BothStrands = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Also plot a sequence logo and a heat map: .png, .svg or .pdf (extra: plots)."
        ),
    ] = None,
    settings: dict[str, Any],
) -> Path:
    """Score every single-base substitution in an interval."""
    from genolm.tasks.variants.mutate import mutate as function

    function(model, interval, out, genome=genome, method=method, context=context, rc=rc, plot=plot, **settings)
    return out


def report(
    variants: Annotated[
        Path,
        typer.Argument(metavar="SCORED", help="Output of `genolm variants`: VCF, BCF, Parquet, TSV or CSV."),
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT.html", help="HTML page to write.")],
    *,
    genome: RequiredReference,
    genes: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Gene annotation: GTF, GFF3, GenBank or EMBL; may be gzipped."),
    ] = None,
    tracks: Annotated[
        list[Path] | None, typer.Option(metavar="BIGWIG", help="bigWig track to show in the browser; repeatable.")
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(
            metavar="FIELD[=POSITIVE:NEGATIVE]",
            help="INFO field or column that labels the variants; with two classes (CLS=LP:LB), the AUROC is computed"
            " too. Default: a field with few distinct values, if there is one.",
        ),
    ] = None,
    field: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="INFO field or column with the score. Default: the score written by genolm."),
    ] = None,
    rows: Annotated[
        int,
        typer.Option(callback=in_range(1), metavar="N", help="Maximum rows in the table, lowest scores first."),
    ] = 20_000,
    title: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Title of the page. Default: the name of the input file.")
    ] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Show scored variants on an interactive HTML page.

    The page is self-contained: it can be opened offline and sent by mail.
    """
    from genolm.tasks.report.report import report as function

    with printed_notes(quiet):
        function(
            variants,
            out,
            genome=genome,
            genes=genes,
            tracks=tracks,
            label=label,
            field=field,
            rows=rows,
            title=title,
            overwrite=overwrite,
        )
    print_closing(None, out, quiet=quiet)


COMMANDS = (bulk(variants), bulk(mutate))
REPORT = with_error_messages(report)
