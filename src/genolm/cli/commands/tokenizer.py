"""Commands of ``genolm tokenizer``: train and inspect."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from genolm.cli.failures import with_error_messages
from genolm.cli.help import command_group, example
from genolm.cli.options import FolderOption, Json, Overwrite, Seed, in_range
from genolm.cli.reporter import print_closing
from genolm.cli.text import percent, print_fields, print_json, print_progress

app = command_group("tokenizer", "Train or inspect a BPE tokenizer.")


def train(
    fasta: Annotated[
        list[Path], typer.Argument(metavar="FASTA", help="FASTA files to train on; plain, gzipped or bgzipped.")
    ],
    *,
    out: FolderOption,
    vocab_size: Annotated[
        int,
        typer.Option(
            "--vocab-size", callback=in_range(10), metavar="N", help="Vocabulary size, special tokens included."
        ),
    ] = 4096,
    seed: Seed = 0,
    bases: Annotated[
        int,
        typer.Option("--bases", callback=in_range(1000), metavar="N", help="Number of bases to sample for training."),
    ] = 20_000_000,
    max_length: Annotated[
        int, typer.Option("--max-length", callback=in_range(2), metavar="BASES", help="Maximum token length in bases.")
    ] = 64,
    chunk: Annotated[
        int,
        typer.Option(
            "--chunk",
            callback=in_range(2),
            metavar="BASES",
            help="Cut the sequence into chunks of this many bases for training; no token spans two chunks.",
        ),
    ] = 512,
    strands: Annotated[
        Literal["forward", "both"],
        typer.Option("--strands", help="Train on the sequence as given, or also on its reverse complement."),
    ] = "forward",
    n: Annotated[
        Literal["none", "letter", "gap"],
        typer.Option(
            "--n",
            help="N: excluded (none), a letter, or a letter with a gap token for 10 or more in a row (gap).",
        ),
    ] = "none",
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Train a BPE vocabulary on FASTA files and report on it."""
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
        progress=print_progress if visible else None,
    )
    if visible:
        print_progress("")
    _print(facts, json)
    bases_read, tokens = facts["trained_on"]["bases"], facts["vocabulary"]["tokens"]
    print_closing(Summary({"bases": bases_read}, results={"tokens": tokens}), out)


def inspect(
    source: Annotated[
        str,
        typer.Argument(
            metavar="TOKENIZER",
            help="Tokenizer: a published one (t2t_1000h_multi_32k or BPE_32k), a folder, or a tokenizer.json file.",
        ),
    ],
    fasta: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FASTA", help="FASTA files to measure on. Default: random bases."),
    ] = None,
    *,
    bases: Annotated[
        int,
        typer.Option("--bases", callback=in_range(1000), metavar="N", help="Number of bases to sample from FASTA."),
    ] = 1_000_000,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Report on a BPE tokenizer: bases per token, speed.

    Also reports how tokens change between strands and after a substitution.
    """
    from genolm.training.vocabulary.train_tokenizer import inspect_tokenizer as function

    _print(function(source, fasta or (), bases=bases, seed=seed), json)


def _print(facts: Mapping[str, Any], json: bool) -> None:
    if json:
        print_json(facts)
    else:
        print_fields(_readable(facts))


def _readable(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the report as one line per field."""
    vocabulary, sequence = facts["vocabulary"], facts["sequence"]
    trained_on = facts.get("trained_on")
    return {
        "tokens": f"{vocabulary['tokens']:,}, of which {vocabulary['pieces']:,} consist of A, C, G and T",
        "longest token": f"{vocabulary['longest']:,} bases; mean of the vocabulary {vocabulary['mean_length']:.2f}",
        "both strands": f"{percent(vocabulary['closure'])} of tokens have a reverse-complement token",
        **({} if trained_on is None else {"trained on": f"{trained_on['bases']:,} bases"}),
        "measured on": f"{sequence['bases']:,} bases, {facts['measured_on']}",
        "bases per token": f"{sequence['bases_per_token']:.2f}",
        "strands agree on": f"{percent(sequence['strand_borders'])} of token boundaries,"
        f" {percent(sequence['strand_tokens'])} of tokens",
        "a substitution": _substitution(sequence),
        "speed": f"{sequence['megabases_per_second']:.1f} Mb of sequence per second",
    }


def _substitution(sequence: Mapping[str, Any]) -> str | None:
    if not sequence["substitutions"]:
        return None
    return (
        f"changes {sequence['changed_mean']:.2f} tokens on average, at most {sequence['changed_max']};"
        f" changes the number of tokens in {percent(sequence['count_changes'])} of cases"
    )


for _command in (train, inspect):
    app.command(epilog=example(f"tokenizer {_command.__name__}"))(with_error_messages(_command))
