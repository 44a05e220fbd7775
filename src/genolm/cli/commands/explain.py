"""Presentation of explain memory, lens, experts, tables and attribution."""

from __future__ import annotations

from genolm.cli.presentation import QUIET, Invocation, Presented, bulk, show_run
from genolm.cli.reporter import print_closing


def tables(call: Invocation) -> None:
    """Print the names of the tables and the path of the output."""
    call()
    names = sorted(path.stem for path in call.out().glob(f"*.{call.values.get('tables', 'tsv')}"))
    print_closing(f"{len(names)} tables: {', '.join(names)}", call.out(), quiet=call.quiet)


PRESENTED = {
    "explain memory": bulk(),
    "explain lens": bulk(),
    "explain experts": bulk(),
    "explain tables": Presented(tables, (QUIET,)),
    "explain attribution": Presented(show_run, (QUIET,)),
}
