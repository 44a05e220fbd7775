"""Decorators that turn a function into a command: shared options, closing lines, error messages."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from genolm.cli.failures import with_error_messages
from genolm.cli.options import bulk_settings
from genolm.cli.reporter import Reporter, printed_notes

Settings = Callable[..., dict[str, Any]]


def with_settings(command: Callable[..., Any], *groups: Settings) -> Callable[..., Any]:
    """Add the options of groups to a command.

    Args:
        command: function of a command with a keyword argument ``settings``.
        groups: functions whose keyword arguments are the options to add; the dictionaries that they return are joined
            and passed to the command as ``settings``.

    Returns:
        A function whose signature has the options of the groups in place of ``settings``.
    """
    options = [inspect.signature(group, eval_str=True).parameters for group in groups]
    signature = inspect.signature(command, eval_str=True)

    @wraps(command)
    def extended(**values: Any) -> Any:
        settings: dict[str, Any] = {}
        for group, names in zip(groups, options, strict=True):
            settings |= group(**{name: values.pop(name) for name in names})
        return command(**values, settings=settings)

    parameters = list(signature.parameters.values())
    index = list(signature.parameters).index("settings")
    parameters[index : index + 1] = [parameter for group in options for parameter in group.values()]
    extended.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    extended.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return extended


def bulk(command: Callable[..., Path], *groups: Settings) -> Callable[..., None]:
    """Return a bulk command: its own options, those of ``groups``, and those of every bulk command.

    Args:
        command: function with a keyword argument ``settings``; returns the path that it wrote, for the closing lines.
        groups: functions that define more options, as for `with_settings`.
    """

    @wraps(command)
    def run(**values: Any) -> None:
        settings = values["settings"]
        reporter: Reporter = settings["progress"]
        with printed_notes(reporter.quiet):
            out = command(**values)
        reporter.close(out, settings["shard"])

    return with_error_messages(with_settings(run, *groups, bulk_settings), resumable=True)


def with_printed_result(command: Callable[..., None], show: Callable[[Path], None]) -> Callable[..., None]:
    """Return a bulk command that also prints its result ``out``, except with --quiet, --shard or --dry-run."""

    @wraps(command)
    def showing(**values: Any) -> None:
        command(**values)
        if not values["quiet"] and values["shard"] is None and not values["dry_run"]:
            show(values["out"])

    return showing
