"""Presentation of generate, complete and check."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from genolm.cli.presentation import QUIET, Invocation, Presented, bulk
from genolm.cli.reporter import print_closing
from genolm.cli.text import print_table, read_json, shown_interval


def check(call: Invocation) -> None:
    """Print the figures, the summary and the path of the output."""
    from genolm.tasks.generation.check_generated import checked

    call()
    if not call.quiet:
        report = read_json(call.out() / "check.json")
        print_table(_figure_row(figure) for figure in report["figures"])
        print_closing(checked(report), call.out())


def _figure_row(figure: dict[str, Any]) -> dict[str, Any]:
    """Return a row of the printed table: a figure of the three groups with its confidence intervals."""
    groups = {group: shown_interval(**figure[group]) for group in ("generated", "natural", "markov")}
    return {"figure": figure["name"], "unit": figure["unit"], **groups}


_SILENT = replace(QUIET, help="Print neither the table nor the summary.")
PRESENTED = {"generate": bulk(), "complete": bulk(), "check": Presented(check, (_SILENT,))}
