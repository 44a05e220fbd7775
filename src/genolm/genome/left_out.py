"""Summary of annotation features that cannot be used."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from genolm.errors import InputError
from genolm.notes import note


@dataclass(slots=True)
class LeftOut:
    """Counts of the unusable features of one file, by reason.

    Attributes:
        file: the file.
        counts: number of unusable features by reason.
    """

    file: Path
    counts: Counter[str] = field(default_factory=Counter)
    _first: tuple[int | None, object] | None = None

    def add(self, reason: str, line: int | None, value: object) -> None:
        """Count an unusable feature.

        Args:
            reason: the problem as a noun phrase: ``exons on both strands``.
            line: first line of the feature, 1-based.
            value: name of the feature, or the unusable value.
        """
        self.counts[reason] += 1
        self._first = self._first or (line, value)

    def report(self, kept: int) -> None:
        """Make one note about all unusable features, if there are any.

        Args:
            kept: number of usable features.

        Raises:
            InputError: no feature is usable.
        """
        if self._first is None:
            return
        line, value = self._first
        error = InputError(self._text(kept), file=self.file, line=line, value=value)
        if not kept:
            raise error
        note(str(error))

    def _text(self, kept: int) -> str:
        number = self.counts.total()
        if number == 1:
            (reason,) = self.counts
            return f"the only feature cannot be used: {reason}" if not kept else f"skipped 1 feature: {reason}"
        reasons = ", ".join(f"{reason} ({count:,})" for reason, count in self.counts.items())
        if not kept:
            return f"none of the {number:,} features can be used: {reasons}; this is the first"
        return f"skipped {number:,} features: {reasons}; this is the first"
