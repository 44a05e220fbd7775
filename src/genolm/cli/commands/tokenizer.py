"""Presentation of tokenizer train and tokenizer inspect."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from genolm.cli.presentation import JSON, Invocation, Presented
from genolm.cli.reporter import print_closing
from genolm.cli.text import percent, print_fields, print_json, print_progress


def train(call: Invocation) -> None:
    """Show the stages, the report on the vocabulary, and the path of the output."""
    from genolm.engine.summary import Summary

    visible = sys.stderr.isatty()
    facts = call(progress=print_progress if visible else None)
    if visible:
        print_progress("")
    _print(facts, call.json)
    bases_read, tokens = facts["trained_on"]["bases"], facts["vocabulary"]["tokens"]
    print_closing(Summary({"bases": bases_read}, results={"tokens": tokens}), call.out())


def inspect(call: Invocation) -> None:
    """Print the report on a tokenizer."""
    _print(call(), call.json)


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


PRESENTED = {"tokenizer train": Presented(train, (JSON,)), "tokenizer inspect": Presented(inspect, (JSON,))}
