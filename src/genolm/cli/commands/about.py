"""Presentation of doctor, demo and cite."""

from __future__ import annotations

import sys
from dataclasses import asdict

import typer

from genolm.cli.presentation import JSON, Invocation, Presented
from genolm.cli.text import print_json


def doctor(call: Invocation) -> None:
    """Print the findings one by one; exit with 1 if something is broken."""
    from genolm.cli.doctor import Finding, examine

    findings: list[Finding] = []
    for finding in examine(call.values.get("kernels")):
        findings.append(finding)
        if not call.json:
            typer.echo(f"{finding.status:6}  {finding.name:13}  {finding.text}")
    if call.json:
        print_json([asdict(finding) for finding in findings])
    if any(finding.status == "broken" for finding in findings):
        raise typer.Exit(1)


def demo(call: Invocation) -> None:
    """Run the demo and print what to do next."""
    from genolm.cli.demo import MODEL, NEXT

    try:
        files = call(progress=sys.stderr.isatty())
    except KeyboardInterrupt:  # the demo has no --resume, which the message of an interrupted run would suggest
        raise KeyboardInterrupt("run the same command again to restart the demo") from None
    typer.echo(NEXT.format(report=files.report, scored=files.scored, model=MODEL))


def cite(call: Invocation) -> None:
    """Print the entries."""
    typer.echo(call())


PRESENTED = {"doctor": Presented(doctor, (JSON,)), "demo": Presented(demo), "cite": Presented(cite)}
