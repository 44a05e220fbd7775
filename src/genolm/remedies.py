"""Remedies: advice that names arguments, which Python and the command line write in their own form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

Value = bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class Remedy:
    """An argument that solves a problem.

    Attributes:
        option: name of the argument in Python, such as ``overwrite``.
        value: value to pass; None if the user must choose it.
        purpose: effect of the argument, as a phrase after "to": ``replace it``.
    """

    option: str
    value: Value = None
    purpose: str = ""

    def argument(self) -> str:
        """Return the argument in Python: ``overwrite=True``, or ``genome=…`` without a value."""
        return f"{self.option}={'…' if self.value is None else repr(self.value)}"

    def to_json(self) -> dict[str, Value]:
        """Return the fields by name."""
        return asdict(self)


Advice = Remedy | str
"""An argument to pass, or advice in words."""

Style = Callable[[Remedy], str]
"""Form of an argument, such as `Remedy.argument`."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A text with its remedy; ``str`` writes the remedy as arguments in Python.

    Attributes:
        text: the problem or the observation.
        remedy: alternatives, each of which helps.
    """

    text: str
    remedy: tuple[Advice, ...] = ()

    def __str__(self) -> str:
        return self.written(Remedy.argument)

    def written(self, style: Style) -> str:
        """Return one line with the arguments in the given form."""
        return with_advice(self.text, self.remedy, style)

    def after(self, introduction: str) -> Notice:
        """Return the same notice with an introduction before its text."""
        return Notice(f"{introduction}{self.text}", self.remedy)


def alternatives(remedy: Advice | Sequence[Advice]) -> tuple[Advice, ...]:
    """Return a remedy as a tuple of alternatives."""
    return (remedy,) if isinstance(remedy, Remedy | str) else tuple(remedy)


def with_advice(text: str, remedy: Sequence[Advice], style: Style) -> str:
    """Return a text with its alternatives: ``TEXT; choose another folder, or pass overwrite=True to replace it``."""
    phrases = [
        one if isinstance(one, str) else _passing(one, style, verb=number == 0 or isinstance(remedy[number - 1], str))
        for number, one in enumerate(remedy)
    ]
    advice = ", or ".join([", ".join(phrases[:-1]), phrases[-1]] if phrases[1:] else phrases)
    return f"{text}; {advice}" if advice else text


def _passing(remedy: Remedy, style: Style, *, verb: bool) -> str:
    return ("pass " if verb else "") + style(remedy) + (f" to {remedy.purpose}" if remedy.purpose else "")
