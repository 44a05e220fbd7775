"""The verb that shows scored variants on a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genolm.cli.errors import reported
from genolm.cli.options import Overwrite, Quiet, RequiredReference, at_least
from genolm.cli.reporter import quietly, tell


def report(
    variants: Annotated[
        Path, typer.Argument(metavar="SCORED", help="VCF, BCF, parquet, TSV or CSV that `genolm variants` wrote.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT.html", help="Page to write.")],
    *,
    genome: RequiredReference,
    genes: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Annotation: GTF, GFF3, GenBank or EMBL, also .gz.")
    ] = None,
    tracks: Annotated[
        list[Path] | None, typer.Option(metavar="BIGWIG", help="A track for the browser; can be repeated.")
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(
            metavar="FIELD[=POSITIVE:NEGATIVE]",
            help="Field that labels variants; CLS=LP:LB adds the AUROC. Default a field with few values.",
        ),
    ] = None,
    field: Annotated[
        str | None, typer.Option(metavar="NAME", help="INFO field or column of the score; default the one of genolm.")
    ] = None,
    rows: Annotated[
        int, typer.Option(callback=at_least(1), metavar="N", help="Most rows of the table, lowest scores first.")
    ] = 20_000,
    title: Annotated[str | None, typer.Option(metavar="TEXT", help="Heading; default the file's name.")] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Show scored variants on one HTML page.

    The page holds all it needs and can be opened or sent without a network.
    """
    from genolm.tasks.report.report import report as function

    with quietly(quiet):
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
    tell(None, out, quiet=quiet)


COMMAND = reported(report)
