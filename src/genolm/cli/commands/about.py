"""Commands about genolm itself: doctor, demo, cite."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from genolm.cli.failures import with_error_messages
from genolm.cli.options import Json, model_names
from genolm.cli.text import print_json


def doctor(*, json: Json = False) -> None:
    """Check the installation and this machine.

    The exit code is 1 if something that genolm needs is broken.
    """
    from genolm.cli.doctor import Finding, examine

    findings: list[Finding] = []
    for finding in examine():
        findings.append(finding)
        if not json:
            typer.echo(f"{finding.status:6}  {finding.name:13}  {finding.text}")
    if json:
        print_json([asdict(finding) for finding in findings])
    if any(finding.status == "broken" for finding in findings):
        raise typer.Exit(1)


def demo(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Output folder; created if it does not exist.")],
) -> None:
    """Run the main commands on a simulated genome.

    Runs variants, embed and score with genolm-nano and writes an HTML report; takes two to three minutes on a CPU.
    Needs the extra report.
    """
    from genolm.cli.demo import MODEL, NEXT
    from genolm.cli.demo import demo as function

    try:
        files = function(folder, progress=sys.stderr.isatty())
    except KeyboardInterrupt:  # the demo has no --resume, which the message of an interrupted run would suggest
        raise KeyboardInterrupt("run the same command again to restart the demo") from None
    typer.echo(NEXT.format(report=files.report, scored=files.scored, model=MODEL))


def cite(
    model: Annotated[
        str | None,
        typer.Argument(metavar="MODEL", help="Model or family whose paper to cite.", autocompletion=model_names),
    ] = None,
) -> None:
    """Print BibTeX entries for genolm and for a model."""
    from genolm.cli.cite import cite as function

    typer.echo(function(model))


COMMANDS = tuple(with_error_messages(command) for command in (doctor, demo, cite))
