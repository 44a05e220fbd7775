"""Help of commands: option names in texts, the example at the end, and completion of names."""

from __future__ import annotations

import re

from genolm.parameters import Verb

PLAIN = None
"""Markup mode of typer: plain text is the same in a terminal, a log and a pipe, and starts faster."""

_QUOTED = re.compile(r"`(\w+)`")


def with_option_names(text: str, verb: Verb, quote: str = "") -> str:
    """Return a text in which quoted names of parameters are spelled as on the command line."""
    spelled = {one.name: one.shown if one.positional else one.option for one in verb.parameters}

    def spell(match: re.Match[str]) -> str:
        name = match[1]
        return f"{quote}{spelled[name]}{quote}" if name in spelled else match[0]

    return _QUOTED.sub(spell, text)


def example(verb: Verb) -> str:
    """Return the last lines of a command's help."""
    return f"\b\nExample:\n  {verb.example}"  # \b keeps the line breaks


def description(verb: Verb) -> str:
    """Return the text between usage and options."""
    text = f"{verb.summary}\n\n{verb.details}" if verb.details else verb.summary
    return with_option_names(text, verb)


def model_names(incomplete: str) -> list[str]:
    """Return the names of known models with this prefix, for shell completion."""
    from genolm.models.zoo.zoo import ZOO

    return [name for name in ZOO if name.startswith(incomplete.lower())]
