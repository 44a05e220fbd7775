"""What a verb says while it runs and when it ends: progress, a line of counts, and where the output is."""

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
    """The progress of a verb: a bar on standard error where that is a terminal; keeps the outcome of the run.

    Args:
        quiet: show nothing.
    """

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self._shown: Progress = ProgressBar() if not quiet and sys.stderr.isatty() else NoProgress()
        self._outcome: Result | Estimate | None = None

    def start(self, label: str, bases: int, done: int) -> None:
        """Show the bar."""
        self._shown.start(label, bases, done)

    def advance(self, bases: int) -> None:
        """Move the bar."""
        self._shown.advance(bases)

    def note(self, text: str) -> None:
        """Print above the bar."""
        self._shown.note(text)

    def stop(self) -> None:
        """Take the bar away."""
        self._shown.stop()

    def conclude(self, outcome: Result | Estimate) -> None:
        """Keep the outcome of the run."""
        self._outcome = outcome

    def close(self, out: Path, shard: str | None) -> None:
        """Print the counts and the name of the output on standard error; of a dry run, its estimate on stdout."""
        from genolm.engine.result import Estimate

        if isinstance(self._outcome, Estimate):
            print_fields({**self._outcome.fields(), "written": "nothing (dry run)"})
        elif shard is not None:
            say(f"shard {shard} done; when all are: genolm merge {out}", quiet=self.quiet)
        else:
            tell(None if self._outcome is None else self._outcome.summary, out, quiet=self.quiet)


def tell(summary: Summary | str | None, out: Path, *, quiet: bool = False) -> None:
    """Print the closing lines of a verb on standard error: what it did, and what it wrote."""
    if summary is not None:
        say(str(summary), quiet=quiet)
    if str(out) != "-":
        say(f"wrote {out}", quiet=quiet)


def say(text: str, *, quiet: bool = False) -> None:
    """Print one line on standard error, unless the verb is quiet."""
    if not quiet:
        typer.echo(text, err=True)


@contextmanager
def quietly(quiet: bool) -> Iterator[None]:
    """Hide warnings about the data (`DataWarning`) inside the block if the verb is quiet; others are shown."""
    with warnings.catch_warnings():
        if quiet:
            warnings.simplefilter("ignore", DataWarning)
        yield
