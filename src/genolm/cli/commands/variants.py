"""Presentation of variants, mutate and report."""

from __future__ import annotations

from genolm.cli.presentation import QUIET, Invocation, Presented, bulk
from genolm.cli.reporter import print_closing, printed_notes


def report(call: Invocation) -> None:
    """Print the path of the page."""
    with printed_notes(call.quiet):
        call()
    print_closing(None, call.out(), quiet=call.quiet)


PRESENTED = {"variants": bulk(), "mutate": bulk(), "report": Presented(report, (QUIET,))}
