"""How a run tells what it is doing: nothing, or a bar with rate and time left."""

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
    """What a run calls. One object serves one run at a time."""

    def start(self, label: str, bases: int, done: int) -> None:
        """The run begins: a label, all bases, and how many of them an earlier run has done."""
        ...

    def advance(self, bases: int) -> None:
        """So many more bases are done."""
        ...

    def note(self, text: str) -> None:
        """Something the user should know, such as a smaller batch."""
        ...

    def stop(self) -> None:
        """The run ended, well or not."""
        ...


@runtime_checkable
class Listener(Protocol):
    """A progress that also receives the outcome of the run."""

    def conclude(self, outcome: Result | Estimate) -> None:
        """The run ended well; of a dry run, its estimate."""
        ...


def report_outcome(progress: Progress, outcome: Result | Estimate) -> None:
    """Pass the outcome of a run to a progress that accepts it."""
    if isinstance(progress, Listener):
        progress.conclude(outcome)


class NoProgress:
    """Tells nothing."""

    def start(self, label: str, bases: int, done: int) -> None:
        """Nothing."""

    def advance(self, bases: int) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""

    def stop(self) -> None:
        """Nothing."""


class ProgressBar:
    """A bar on standard error: share, bases per second of this run, time passed and time left."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None

    def start(self, label: str, bases: int, done: int) -> None:
        """Shows the bar."""
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
        """Moves the bar."""
        if self._bar is not None and self._task is not None:
            self._bar.advance(self._task, bases)

    def note(self, text: str) -> None:
        """Prints above the bar."""
        if self._bar is not None:
            self._bar.console.print(text)

    def stop(self) -> None:
        """Takes the bar away."""
        if self._bar is not None:
            self._bar.stop()


def rate(bases_per_second: float | None) -> str:
    """``12.3 kb/s``; a dash as long as it is not known."""
    if not bases_per_second:
        return "– b/s"
    for unit in ("b/s", "kb/s"):
        if bases_per_second < 1000:
            return f"{bases_per_second:.3g} {unit}"
        bases_per_second /= 1000
    return f"{bases_per_second:.3g} Mb/s"


def as_progress(progress: Progress | bool | None) -> Progress:
    """The caller's own; the bar for True; silence for None and False."""
    if isinstance(progress, bool) or progress is None:
        return ProgressBar() if progress else NoProgress()
    return progress


@contextmanager
def reporting(progress: Progress, label: str, bases: int, done: int = 0) -> Iterator[None]:
    """Starts the progress and stops it, however the block ends."""
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
