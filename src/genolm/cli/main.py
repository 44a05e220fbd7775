"""The ``genolm`` command, built from the table of verbs. Nothing heavy is imported before a verb runs."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from genolm.cli.command import add_command
from genolm.cli.commands import PRESENTED
from genolm.cli.help import PLAIN
from genolm.verbs import GROUPS, VERBS, table


class _Ordered(TyperGroup):
    """Group that lists nested groups at their place; typer would list them last."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the commands in the order of their use."""
        return list(dict.fromkeys(name.partition(" ")[0] for name in VERBS))


app = typer.Typer(
    name="genolm",
    cls=_Ordered,
    help="Genome language models: embed sequences, score variants, generate DNA, interpret and pretrain models.",
    epilog="`genolm COMMAND --help` describes a command. To get started: `genolm demo FOLDER`.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=PLAIN,
    pretty_exceptions_enable=False,
)


def _version(requested: bool) -> None:
    if requested:
        from genolm.files.version import __version__

        typer.echo(f"genolm {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Define the options of ``genolm`` itself."""


def _add_commands() -> None:
    groups = {
        name: typer.Typer(name=name, help=text, no_args_is_help=True, rich_markup_mode=PLAIN)
        for name, text in GROUPS.items()
    }
    for name, verb in table().items():
        add_command(groups[name.partition(" ")[0]] if " " in name else app, verb, PRESENTED[name])
    for group in groups.values():
        app.add_typer(group)


_add_commands()


def main() -> None:
    """Run the command line; exit codes: those of `genolm.errors`, 2 for wrong usage, 130 for Ctrl-C."""
    app()
