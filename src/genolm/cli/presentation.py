"""Presentation of verbs on the command line: how each shows its progress and result, and the options for that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genolm.cli.reporter import Reporter, printed_notes
from genolm.parameters import Verb
from genolm.verbs import function_of


@dataclass(frozen=True, slots=True)
class Switch:
    """Option that affects only what the command line prints.

    Attributes:
        name: name of the option, and of the attribute of `Invocation`.
        forms: forms of the option.
        help: description.
    """

    name: str
    forms: tuple[str, ...]
    help: str


QUIET = Switch("quiet", ("--quiet", "-q"), "Hide the progress bar, the summary and notes about the data.")
JSON = Switch("json", ("--json",), "Print JSON instead of text.")


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call of a verb.

    Attributes:
        verb: the verb.
        values: arguments of its function by name.
        quiet: whether ``--quiet`` is given.
        json: whether ``--json`` is given.
    """

    verb: Verb
    values: Mapping[str, Any]
    quiet: bool = False
    json: bool = False

    def __call__(self, **more: Any) -> Any:
        """Call the function with the values and further arguments, and return its result."""
        names = [one.name for one in self.verb.parameters if one.positional and one.name in self.values]
        options = {name: value for name, value in self.values.items() if name not in names}
        return function_of(self.verb.name)(*(self.values[name] for name in names), **options, **more)

    def out(self, result: object = None) -> Path:
        """Return the path that the call wrote: that of the result if it has one, otherwise the value of ``out``."""
        written = result if isinstance(result, str | Path) else getattr(result, "path", None)
        return Path(self.values["out"] if written is None else written)


@dataclass(frozen=True, slots=True)
class Presented:
    """Presentation of a verb.

    Attributes:
        show: function that calls the verb and prints its result.
        options: options of the presentation.
        resumable: whether an interrupted call can be continued with ``--resume``.
    """

    show: Callable[[Invocation], None]
    options: tuple[Switch, ...] = ()
    resumable: bool = False


def show_run(call: Invocation) -> None:
    """Show a bulk run: a progress bar, and closing lines with the summary and the path of the output."""
    reporter = Reporter(call.quiet)
    with printed_notes(call.quiet):
        result = call(progress=reporter)
    shard = call.values.get("shard")
    reporter.close(call.out(result if shard is None else None), shard)


def bulk(show: Callable[[Path], None] | None = None) -> Presented:
    """Return the presentation of a bulk verb.

    Args:
        show: function that prints the output too, unless the run is quiet, dry or of a shard.
    """

    def show_output(call: Invocation) -> None:
        show_run(call)
        if show is not None and not (call.quiet or call.values.get("shard") or call.values.get("dry_run")):
            show(call.out())

    return Presented(show_output, (QUIET,), resumable=True)
