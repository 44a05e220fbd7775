"""Verbs about genolm itself: doctor, demo, cite."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from genolm.cli.options import Json, model_names
from genolm.cli.text import print_json


def doctor(*, json: Json = False) -> None:
    """Check this machine and installation.

    The exit code is 1 if something that genolm needs is broken.
    """
    from genolm.cli.doctor import Finding, examine

    found: list[Finding] = []
    for finding in examine():
        found.append(finding)
        if not json:
            typer.echo(f"{finding.status:6}  {finding.name:13}  {finding.text}")
    if json:
        print_json([asdict(finding) for finding in found])
    if any(finding.status == "broken" for finding in found):
        raise typer.Exit(1)


def demo(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder to write; made if it is not there.")],
) -> None:
    """Show the whole of it on a simulated genome.

    Variants, embed and score with genolm-nano, then one HTML report: two to three minutes on a CPU. Needs the extra
    report.
    """
    from genolm.cli.demo import MODEL, NEXT
    from genolm.cli.demo import demo as function

    try:
        files = function(folder, progress=sys.stderr.isatty())
    except KeyboardInterrupt:  # what a verb says of --resume is of no use here: the demo has no such option
        raise KeyboardInterrupt("the same command starts the demo from the beginning") from None
    typer.echo(NEXT.format(report=files.report, scored=files.scored, model=MODEL))


def cite(
    model: Annotated[
        str | None,
        typer.Argument(metavar="MODEL", help="A model or family, for its paper.", autocompletion=model_names),
    ] = None,
) -> None:
    """Print BibTeX of genolm and of a model's paper."""
    from genolm.cli.cite import cite as function

    typer.echo(function(model))
