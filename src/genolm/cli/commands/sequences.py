"""Presentation of embed, score and merge."""

from __future__ import annotations

from genolm.cli.presentation import QUIET, Invocation, Presented, bulk
from genolm.cli.reporter import print_closing, printed_notes


def merge(call: Invocation) -> None:
    """Print the summary and the path of the output."""
    with printed_notes(call.quiet):
        merged = call()
    print_closing(merged.summary, merged.out or call.out(), quiet=call.quiet)


PRESENTED = {"embed": bulk(), "score": bulk(), "merge": Presented(merge, (QUIET,))}
