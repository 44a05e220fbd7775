"""Messages of a command while it runs and when it ends: progress, counts, and the path of the output."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from genolm.cli.text import print_fields
from genolm.engine.progress import NoProgress, Progress, ProgressBar
from genolm.errors import DataWarning

if TYPE_CHECKING:
    from genolm.engine.result import Estimate, Result
    from genolm.engine.summary import Summary


class Reporter:
    """Progress of a command: a bar on standard error if that is a terminal. Keeps the outcome of the run.

    Args:
        quiet: show nothing.
    """

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self._progress: Progress = ProgressBar() if not quiet and sys.stderr.isatty() else NoProgress()
        self._outcome: Result | Estimate | None = None

    def start(self, label: str, bases: int, done: int) -> None:
        """Show the bar."""
        self._progress.start(label, bases, done)

    def advance(self, bases: int) -> None:
        """Advance the bar."""
        self._progress.advance(bases)

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        self._progress.note(text)

    def stop(self) -> None:
        """Remove the bar."""
        self._progress.stop()

    def conclude(self, outcome: Result | Estimate) -> None:
        """Keep the outcome of the run."""
        self._outcome = outcome

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


@contextmanager
def hide_data_warnings(quiet: bool) -> Iterator[None]:
    """Hide warnings about the data (`DataWarning`) inside the block if ``quiet``; show all others."""
    with warnings.catch_warnings():
        if quiet:
            warnings.simplefilter("ignore", DataWarning)
        yield
