"""Every command of the command line, with the words that call it."""

from collections.abc import Iterator
from typing import Any

import typer

from genolm.cli.main import app


def commands(command: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Names as they are typed, such as ``detect train``, and commands, in the order of the help."""
    command = command or typer.main.get_command(app)
    for name, below in command.commands.items():
        if hasattr(below, "commands"):
            yield from commands(below, (*path, name))
        else:
            yield " ".join((*path, name)), below


COMMANDS = dict(commands())
