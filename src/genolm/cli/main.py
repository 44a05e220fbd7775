"""The ``genolm`` command. Nothing heavy is imported before a command runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from genolm.cli.commands import (
    about,
    corpus,
    detect,
    explain,
    generation,
    genomes,
    models,
    sequences,
    tokenizer,
    training,
    variants,
)
from genolm.cli.help import PLAIN, example


class _Ordered(TyperGroup):
    """Group that lists nested groups at their place; typer would list them last."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the commands in the order of their use."""
        names = [name for name in self.commands if name not in _NEXT]
        for group, command in _NEXT.items():
            names.insert(names.index(command), group)
        return names


_NEXT = {"detect": "check", "explain": "merge", "tokenizer": "pretrain", "corpus": "pretrain"}
"""Each nested group and the command that follows it in the list."""


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


_COMMANDS: tuple[Callable[..., None], ...] = (
    *sequences.COMMANDS,
    *variants.COMMANDS,
    *generation.COMMANDS,
    genomes.SCAN,
    variants.REPORT,
    generation.CHECK,
    genomes.CLUSTER,
    sequences.MERGE,
    *models.COMMANDS,
    *training.COMMANDS,
    *about.COMMANDS,
)
for _command in _COMMANDS:
    app.command(epilog=example(_command.__name__))(_command)
for _group in (detect.app, explain.app, tokenizer.app, corpus.app):
    app.add_typer(_group)


def main() -> None:
    """Run the command line; exit codes: those of `genolm.errors`, 2 for wrong usage, 130 for Ctrl-C."""
    app()
