"""Progress bar of a run, with rate and remaining time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genolm.engine.events import Advanced, BatchHalved, Event, Listener, Note, Started, Stopped

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID


class ProgressBar:
    """Progress bar on standard error: fraction, bases per second, elapsed and remaining time."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None

    def __call__(self, event: Event) -> None:
        """Show an event."""
        match event:
            case Started(label, bases, done):
                self._start(label, bases, done)
            case Advanced(bases) if self._bar is not None and self._task is not None:
                self._bar.advance(self._task, bases)
            case Note(notice):
                self._print(str(notice))
            case BatchHalved(reason=text):
                self._print(text)
            case Stopped() if self._bar is not None:
                self._bar.stop()
                self._bar = None

    @property
    def shown(self) -> bool:
        """Whether the bar is on the screen."""
        return self._bar is not None

    def _start(self, label: str, bases: int, done: int) -> None:
        from rich import progress

        columns = (
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.TaskProgressColumn(),
            _rate_column(),
            progress.TimeElapsedColumn(),
            progress.TimeRemainingColumn(),
        )
        self._bar = progress.Progress(*columns, console=self._terminal(), transient=True)
        self._task = self._bar.add_task(label, total=bases, completed=done)
        self._bar.start()

    def _print(self, text: str) -> None:
        """Print a line above the bar."""
        console = self._terminal() if self._bar is None else self._bar.console
        console.print(f"warning: {text}", markup=False, highlight=False)

    def _terminal(self) -> Console:
        from rich.console import Console

        return self._console or Console(stderr=True)


def rate(bases_per_second: float | None) -> str:
    """Format a rate, such as ``12.3 kb/s``; a dash if it is unknown."""
    if not bases_per_second:
        return "– b/s"
    for unit in ("b/s", "kb/s"):
        if bases_per_second < 1000:
            return f"{bases_per_second:.3g} {unit}"
        bases_per_second /= 1000
    return f"{bases_per_second:.3g} Mb/s"


def as_listener(progress: Listener | bool | None) -> Listener | None:
    """Return a progress bar for True, None for None and False, else the given listener."""
    if isinstance(progress, bool) or progress is None:
        return ProgressBar() if progress else None
    return progress


def _rate_column() -> Any:
    from rich.progress import ProgressColumn, Task
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(rate(task.finished_speed or task.speed))

    return Rate()
