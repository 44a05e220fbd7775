"""The ``genolm`` command: its verbs in the order of their use. Nothing heavy is imported before a verb runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from genolm.cli.commands import about, bulk, corpus, detect, explain, genomics, report, scan, tokenizer, training, zoo
from genolm.cli.errors import reported
from genolm.cli.examples import example


class _InOrder(TyperGroup):
    """Lists groups of verbs where they are used; typer would put them last."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The verbs in the order of their use."""
        names = [name for name in self.commands if name not in _BEFORE]
        for group, verb in _BEFORE.items():
            names.insert(names.index(verb), group)
        return names


_BEFORE = {"detect": "check", "explain": "merge", "tokenizer": "pretrain", "corpus": "pretrain"}
"""Each group of verbs with the verb that follows it in the list."""


app = typer.Typer(
    name="genolm",
    cls=_InOrder,
    help="Genome language models: embed, score, call variant effects, generate, explain and pretrain.",
    epilog="`genolm VERB --help` explains a verb. Start with `genolm demo FOLDER`.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,  # plain text: the same in a terminal, a log and a pipe, and quicker to start
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"genolm {version('genolm')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """The verbs follow."""


_VERBS: tuple[Callable[..., None], ...] = (
    *bulk.COMMANDS,
    scan.COMMAND,
    report.COMMAND,
    reported(genomics.check),
    genomics.CLUSTER,
    reported(bulk.merge),
    reported(zoo.models),
    reported(zoo.info),
    reported(zoo.download),
    reported(zoo.convert),
    reported(training.simulate),
    reported(training.pretrain, resumable=True),
    reported(about.doctor),
    reported(about.demo),
    reported(about.cite),
)
for _verb in _VERBS:
    app.command(epilog=example(_verb.__name__))(_verb)
for _group in (detect.app, explain.app, tokenizer.app, corpus.app):
    app.add_typer(_group)


def main() -> None:
    """Run the command line; exit codes are those of :mod:`genolm.errors`, 2 for usage and 130 for Ctrl-C."""
    app()
