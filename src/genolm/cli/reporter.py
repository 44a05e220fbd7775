"""Messages of a command while it runs and when it ends: progress, counts, and the path of the output."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from genolm.cli.text import as_option, print_fields
from genolm.engine.events import Event, Finished, Note
from genolm.engine.progress import ProgressBar
from genolm.notes import collected, received
from genolm.remedies import Notice

if TYPE_CHECKING:
    from genolm.engine.result import Estimate, Result
    from genolm.engine.summary import Summary


class Reporter:
    """Receiver of a command's events: a progress bar if standard error is a terminal, and notes. Keeps the outcome.

    Args:
        quiet: show nothing.
    """

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self._bar = ProgressBar() if not quiet and sys.stderr.isatty() else None
        self._outcome: Result | Estimate | None = None

    def __call__(self, event: Event) -> None:
        """Show an event, or keep the outcome of the run."""
        if isinstance(event, Finished):
            self._outcome = event.outcome
        elif isinstance(event, Note) and (self._bar is None or not self._bar.shown):
            print_note(event.notice, quiet=self.quiet)
        elif self._bar is not None:
            self._bar(event)

    def close(self, out: Path, shard: str | None) -> None:
        """Print the closing lines on standard error; for a dry run, print its estimate on standard output."""
        from genolm.engine.result import Estimate

        if isinstance(self._outcome, Estimate):
            print_fields({**self._outcome.fields(), "written": "nothing (dry run)"})
        elif shard is not None:
            print_line(f"shard {shard} finished; when all shards are, run: genolm merge {out}", quiet=self.quiet)
        else:
            print_closing(None if self._outcome is None else self._outcome.summary, out, quiet=self.quiet)


def print_closing(summary: Summary | str | None, out: Path, *, quiet: bool = False) -> None:
    """Print the closing lines of a command on standard error: its summary and its output."""
    if summary is not None:
        print_line(str(summary), quiet=quiet)
    if str(out) != "-":
        print_line(f"wrote {out}", quiet=quiet)


def print_line(text: str, *, quiet: bool = False) -> None:
    """Print a line on standard error unless ``quiet``."""
    if not quiet:
        typer.echo(text, err=True)


def print_note(notice: Notice, *, quiet: bool = False) -> None:
    """Print a note on standard error, with arguments as options, unless ``quiet``."""
    print_line(f"warning: {notice.written(as_option)}", quiet=quiet)


@contextmanager
def printed_notes(quiet: bool) -> Iterator[None]:
    """Print the notes made in the block on standard error, each once, unless ``quiet``."""
    with collected(), received(lambda notice: print_note(notice, quiet=quiet)):
        yield
