"""Presentation of variants, mutate and report."""

from __future__ import annotations

from genolm.cli.presentation import QUIET, Invocation, Presented, bulk
from genolm.cli.reporter import hide_data_warnings, print_closing


def report(call: Invocation) -> None:
    """Print the path of the page."""
    with hide_data_warnings(call.quiet):
        call()
    print_closing(None, call.out(), quiet=call.quiet)


PRESENTED = {"variants": bulk(), "mutate": bulk(), "report": Presented(report, (QUIET,))}
