"""Summary of a run: counts of its items, outcomes and results for messages, warnings and provenance files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from genolm.files.atomic import write_text
from genolm.notes import note
from genolm.remedies import Notice

if TYPE_CHECKING:
    import polars as pl

FOLDER_MARK = "provenance.json"
"""File that marks an output folder as written by genolm; only such folders are replaced."""

TOLERATED = 0.05
"""Largest fraction of items without a result that causes no warning."""

Counts = Mapping[str, int]
_PLURAL = re.compile(r"(?<=\w)s\b")


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of the items of a run, their outcomes, and the results.

    ``str`` gives one line: ``200 ALT alleles: 174 scored, 16 ref_mismatch, 10 not_snv``. Summaries of parts can be
    added.

    Attributes:
        inputs: number of inputs by kind, in the plural.
        outcomes: number of items of the first kind by outcome.
        results: number of results by kind.
        remedies: meaning of each outcome without a result, and what helps.
        lack: what items with such an outcome lack.
        note: remark on the results.
    """

    inputs: Counts
    outcomes: Counts = field(default_factory=dict)
    results: Counts = field(default_factory=dict)
    remedies: Mapping[str, Notice] = field(default_factory=dict)
    lack: str = "score"
    note: str = ""

    def __add__(self, other: Summary) -> Summary:
        """Add the counts of two parts."""
        inputs, outcomes, results = (
            _sum(getattr(self, name), getattr(other, name)) for name in ("inputs", "outcomes", "results")
        )
        return Summary(inputs, outcomes, results, {**self.remedies, **other.remedies}, self.lack, self.note)

    def __str__(self) -> str:
        """Return one line with inputs, outcomes and results."""
        results = _listed(self.results) + (f" ({self.note})" if self.note else "")
        outcomes = ", ".join(f"{count:,} {name}" for name, count in self._ordered.items() if count)
        text = _listed(self.inputs) + (f": {outcomes}" if outcomes else "")
        return f"{text}; {results}" if results else text

    def counts(self) -> dict[str, int]:
        """Return all counts by name, as in the provenance file."""
        return {**self.inputs, **self._ordered, **self.results}

    def warning(self) -> Notice | None:
        """Return a warning if more than 5 % of the items have no result: number, main reason and remedy."""
        lacking = {name: count for name, count in self._ordered.items() if name in self.remedies and count}
        total, without = sum(self.outcomes.values()), sum(lacking.values())
        if without <= TOLERATED * total:
            return None
        reason, count = next(iter(lacking.items()))
        items = f"{without:,} of {total:,} {next(iter(self.inputs))} ({without / total:.0%})"
        main = "" if reason == f"without a {self.lack}" else f", most often {reason} ({count:,})"
        return self.remedies[reason].after(f"{items} have no {self.lack}{main}: ")

    @property
    def _ordered(self) -> dict[str, int]:
        """The outcomes in an order independent of the parts: results first, then by decreasing count, then by name."""
        names = sorted(self.outcomes, key=lambda name: (name in self.remedies, -self.outcomes[name], name))
        return {name: self.outcomes[name] for name in names}


@runtime_checkable
class Counting(Protocol):
    """Task that counts the rows of a part."""

    def count(self, rows: pl.DataFrame) -> Summary:
        """Return the counts of one part, which may have no rows."""
        ...


@runtime_checkable
class Concluding(Protocol):
    """Task whose counts are complete only when its output is made."""

    def conclude(self, counted: Summary, made: Any) -> Summary:
        """Return the counts of the run from those of its rows and the output: its path, or the result of `collect`."""
        ...


@runtime_checkable
class Described(Protocol):
    """A task that describes how its output was made."""

    def metadata(self) -> dict[str, str]:
        """Return the settings that made the output, by name."""
        ...


class Tally:
    """Counts the rows of a run on their way to the output.

    Args:
        task: task that counts rows; if it does not, the input items are counted.
        items: number of input items.
    """

    def __init__(self, task: Any, items: int) -> None:
        self._task, self._items = task, items
        self._parts: list[Summary] = []

    def counted(self, frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """Yield the frames and count their rows."""
        for frame in frames:
            if isinstance(self._task, Counting):
                self._parts.append(self._task.count(frame))
            yield frame

    def summary(self, made: Any) -> Summary:
        """Return the summary of the run; ``made`` is the output's path, or the collected result."""
        counted = reduce(add, self._parts) if self._parts else Summary({unit(self._task): self._items})
        return self._task.conclude(counted, made) if isinstance(self._task, Concluding) else counted


def numbered(count: int, plural: str) -> str:
    """Format a count with its noun: ``2 sequences``, ``1 sequence``."""
    return f"{count:,} {plural if count != 1 else re.sub(_PLURAL, '', plural, count=1)}"


def unit(task: Any) -> str:
    """Return the plural noun for the items of a task."""
    return getattr(task, "unit", "items")


def note_missing_results(summary: Summary) -> None:
    """Note that too many items have no result, if that is so."""
    if notice := summary.warning():
        note(notice)


def provenance_path(out: Path) -> Path:
    """Return the path of an output's provenance file, ``OUT.provenance.json``."""
    return out.with_name(f"{out.name}.provenance.json")


def write_counts(task: Any, out: Path, summary: Summary) -> None:
    """Write the counts to the provenance file, as ``counts``: inside a folder, or next to a file."""
    inside = out / FOLDER_MARK
    if inside.is_file():
        _write(inside, json.loads(inside.read_text("utf-8")), summary)
    elif isinstance(task, Described):
        _write(provenance_path(out), task.metadata(), summary)


def _write(path: Path, described: Mapping[str, Any], summary: Summary) -> None:
    write_text(path, json.dumps({**described, "counts": summary.counts()}, indent=1, ensure_ascii=False) + "\n")


def _sum(one: Counts, other: Counts) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}


def _listed(counts: Counts) -> str:
    return ", ".join(numbered(count, name) for name, count in counts.items())
