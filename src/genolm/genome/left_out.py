"""Features of an annotation that cannot be used: counted by reason, and reported once."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from genolm.errors import InputError


@dataclass(slots=True)
class LeftOut:
    """What is left out of one file.

    Attributes:
        file: the file.
        counts: how many features were left out, by reason.
    """

    file: Path
    counts: Counter[str] = field(default_factory=Counter)
    _first: tuple[int | None, object] | None = None

    def add(self, reason: str, line: int | None, value: object) -> None:
        """Count a feature.

        Args:
            reason: what is wrong with it, as a noun: ``exons on both strands``.
            line: where it begins in the file, 1-based.
            value: its name, or what cannot be used.
        """
        self.counts[reason] += 1
        self._first = self._first or (line, value)

    def report(self, kept: int) -> None:
        """Warn once of everything that was left out; nothing happens if that is nothing.

        Args:
            kept: features that were not left out.

        Raises:
            InputError: features were left out and none was kept.

        Warns:
            UserWarning: how many features were left out and why, with the line of the first.
        """
        if self._first is None:
            return
        line, value = self._first
        error = InputError(self._text(kept), file=self.file, line=line, value=value)
        if not kept:
            raise error
        warnings.warn(str(error), stacklevel=1)  # one place for all, so that the same text is shown once

    def _text(self, kept: int) -> str:
        number = self.counts.total()
        if number == 1:
            (reason,) = self.counts
            return f"the only feature cannot be used: {reason}" if not kept else f"1 feature was left out: {reason}"
        reasons = ", ".join(f"{reason} ({count:,})" for reason, count in self.counts.items())
        if not kept:
            return f"none of the {number:,} features can be used: {reasons}; this is the first"
        return f"{number:,} features were left out: {reasons}; this is the first"
