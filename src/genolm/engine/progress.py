"""Progress reporting: silent, or a bar with rate and remaining time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from genolm.engine.result import Estimate, Result


class Progress(Protocol):
    """Receiver of a run's progress. One object serves one run at a time."""

    def start(self, label: str, bases: int, done: int) -> None:
        """Start reporting a run of ``bases`` bases, of which ``done`` were finished by an earlier run."""
        ...

    def advance(self, bases: int) -> None:
        """Advance by ``bases``."""
        ...

    def note(self, text: str) -> None:
        """Show a message, such as one about smaller batches."""
        ...

    def stop(self) -> None:
        """Stop reporting; called after success and failure."""
        ...


@runtime_checkable
class Listener(Protocol):
    """Progress receiver that also receives the outcome of the run."""

    def conclude(self, outcome: Result | Estimate) -> None:
        """Receive the result of a successful run, or the estimate of a dry run."""
        ...


def report_outcome(progress: Progress, outcome: Result | Estimate) -> None:
    """Pass the outcome of a run to a progress receiver that accepts it."""
    if isinstance(progress, Listener):
        progress.conclude(outcome)


class NoProgress:
    """Silent progress."""

    def start(self, label: str, bases: int, done: int) -> None:
        """Do nothing."""

    def advance(self, bases: int) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Do nothing."""


class ProgressBar:
    """Progress bar on standard error: fraction, bases per second, elapsed and remaining time."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None

    def start(self, label: str, bases: int, done: int) -> None:
        """Show the bar."""
        from rich import progress
        from rich.console import Console

        columns = (
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.TaskProgressColumn(),
            _rate_column(),
            progress.TimeElapsedColumn(),
            progress.TimeRemainingColumn(),
        )
        self._bar = progress.Progress(*columns, console=self._console or Console(stderr=True), transient=True)
        self._task = self._bar.add_task(label, total=bases, completed=done)
        self._bar.start()

    def advance(self, bases: int) -> None:
        """Advance the bar."""
        if self._bar is not None and self._task is not None:
            self._bar.advance(self._task, bases)

    def note(self, text: str) -> None:
        """Print a message above the bar."""
        if self._bar is not None:
            self._bar.console.print(text)

    def stop(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()


def rate(bases_per_second: float | None) -> str:
    """Format a rate, such as ``12.3 kb/s``; a dash if it is unknown."""
    if not bases_per_second:
        return "– b/s"
    for unit in ("b/s", "kb/s"):
        if bases_per_second < 1000:
            return f"{bases_per_second:.3g} {unit}"
        bases_per_second /= 1000
    return f"{bases_per_second:.3g} Mb/s"


def as_progress(progress: Progress | bool | None) -> Progress:
    """Return the given object, a progress bar for True, or silent progress for None and False."""
    if isinstance(progress, bool) or progress is None:
        return ProgressBar() if progress else NoProgress()
    return progress


@contextmanager
def reporting(progress: Progress, label: str, bases: int, done: int = 0) -> Iterator[None]:
    """Start the progress, and stop it on leaving the context."""
    progress.start(label, bases, done)
    try:
        yield
    finally:
        progress.stop()


def _rate_column() -> Any:
    from rich.progress import ProgressColumn, Task
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(rate(task.finished_speed or task.speed))

    return Rate()
