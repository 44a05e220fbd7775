"""The verbs of ``genolm tokenizer``: train and inspect."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from genolm.cli.errors import reported
from genolm.cli.examples import example
from genolm.cli.options import Json, Overwrite, Seed, at_least
from genolm.cli.reporter import tell
from genolm.cli.text import print_fields, print_json

app = typer.Typer(
    name="tokenizer",
    help="Byte-pair tokenizers: train, inspect.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def train(
    fasta: Annotated[list[Path], typer.Argument(metavar="FASTA", help="Files to train on, plain, gzip or bgzip.")],
    *,
    out: Annotated[
        Path, typer.Option("--out", metavar="FOLDER", help="Folder to write; it appears when it is complete.")
    ],
    vocab_size: Annotated[
        int, typer.Option("--vocab-size", callback=at_least(10), metavar="N", help="Tokens, special ones included.")
    ] = 4096,
    seed: Seed = 0,
    bases: Annotated[
        int, typer.Option("--bases", callback=at_least(1000), metavar="N", help="Bases to draw and train on.")
    ] = 20_000_000,
    max_length: Annotated[
        int, typer.Option("--max-length", callback=at_least(2), metavar="BASES", help="Longest token.")
    ] = 64,
    chunk: Annotated[
        int, typer.Option("--chunk", callback=at_least(2), metavar="BASES", help="Bases that the trainer sees as one.")
    ] = 512,
    strands: Annotated[
        Literal["forward", "both"], typer.Option("--strands", help="Train as given, or on both strands.")
    ] = "forward",
    n: Annotated[
        Literal["none", "letter", "gap"],
        typer.Option("--n", help="N is no letter, a letter, or a letter with a gap token for 10 and more in a row."),
    ] = "none",
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Train a byte-pair vocabulary on FASTA files and report on it."""
    from genolm.engine.summary import Summary
    from genolm.training.vocabulary.train_tokenizer import train_tokenizer as function

    visible = sys.stderr.isatty()
    facts = function(
        fasta,
        out,
        vocab_size=vocab_size,
        seed=seed,
        bases=bases,
        chunk=chunk,
        max_length=max_length,
        strands=strands,
        n=n,
        overwrite=overwrite,
        progress=_print_progress if visible else None,
    )
    if visible:
        typer.echo("\r\033[K", nl=False, err=True)
    _print(facts, json)
    trained, tokens = facts["trained_on"]["bases"], facts["vocabulary"]["tokens"]
    tell(Summary({"bases": trained}, results={"tokens": tokens}), out)


def _print_progress(told: str) -> None:
    typer.echo(f"\r\033[K{told[:100]}", nl=False, err=True)


def inspect(
    source: Annotated[
        str, typer.Argument(metavar="TOKENIZER", help="t2t_1000h_multi_32k, BPE_32k, a folder, or a tokenizer.json.")
    ],
    fasta: Annotated[
        list[Path] | None, typer.Argument(metavar="FASTA", help="Sequence to measure on; else random bases.")
    ] = None,
    *,
    bases: Annotated[
        int, typer.Option("--bases", callback=at_least(1000), metavar="N", help="Bases to draw and measure on.")
    ] = 1_000_000,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Report on a byte-pair tokenizer: bases per token, speed.

    Also on strands and substitutions.
    """
    from genolm.training.vocabulary.train_tokenizer import inspect_tokenizer as function

    _print(function(source, fasta or (), bases=bases, seed=seed), json)


def _print(facts: Mapping[str, Any], json: bool) -> None:
    if json:
        print_json(facts)
    else:
        print_fields(_readable(facts))


def _readable(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts on one line each."""
    vocabulary, sequence = facts["vocabulary"], facts["sequence"]
    trained = facts.get("trained_on")
    return {
        "tokens": f"{vocabulary['tokens']:,}, {vocabulary['pieces']:,} of them pieces of A, C, G, T",
        "longest token": f"{vocabulary['longest']:,} bases; mean over the vocabulary {vocabulary['mean_length']:.2f}",
        "both strands": f"{_percent(vocabulary['closure'])} of pieces have their reverse complement",
        **({} if trained is None else {"trained on": f"{trained['bases']:,} bases"}),
        "measured on": f"{sequence['bases']:,} bases, {facts['measured_on']}",
        "bases per token": f"{sequence['bases_per_token']:.2f}",
        "strands agree on": f"{_percent(sequence['strand_borders'])} of borders,"
        f" {_percent(sequence['strand_tokens'])} of tokens",
        "a substitution": _substitution(sequence),
        "speed": f"{sequence['megabases_per_second']:.1f} Mb of sequence per second",
    }


def _substitution(sequence: Mapping[str, Any]) -> str | None:
    if not sequence["substitutions"]:
        return None
    return (
        f"changes {sequence['changed_mean']:.2f} tokens, at most {sequence['changed_max']};"
        f" their number in {_percent(sequence['count_changes'])}"
    )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


for _verb in (train, inspect):
    app.command(epilog=example(f"tokenizer {_verb.__name__}"))(reported(_verb))
