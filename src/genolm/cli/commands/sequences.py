"""Presentation of embed, score and merge."""

from __future__ import annotations

from genolm.cli.presentation import QUIET, Invocation, Presented, bulk
from genolm.cli.reporter import hide_data_warnings, print_closing


def merge(call: Invocation) -> None:
    """Print the summary and the path of the output."""
    with hide_data_warnings(call.quiet):
        merged = call()
    print_closing(merged.summary, merged.out or call.out(), quiet=call.quiet)


PRESENTED = {"embed": bulk(), "score": bulk(), "merge": Presented(merge, (QUIET,))}
