"""What a run did, in numbers that follow from its rows: printed, written to the provenance, and warned about."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from genolm.errors import DataWarning
from genolm.files.atomic import write_text

if TYPE_CHECKING:
    import polars as pl

FOLDER_MARK = "provenance.json"
"""The file that marks an output folder as written by genolm: only such a folder is ever replaced."""

TOLERATED = 0.05
"""Largest share of items without a result that causes no warning."""

Counts = Mapping[str, int]
_PLURAL = re.compile(r"(?<=\w)s\b")


@dataclass(frozen=True, slots=True)
class Summary:
    """How many items a run had, how they ended, and how much came of them.

    ``str`` gives one line: ``200 ALT alleles: 174 scored, 16 ref_mismatch, 10 not_snv``. Two parts of a run add up.

    Attributes:
        inputs: what was read, by its name in the plural.
        outcomes: how many of the first of these ended in which way.
        results: what came of them.
        remedies: the outcomes that are no result, each with what a user can do about it.
        lack: what an item with such an outcome does not have.
        note: further words on the results.
    """

    inputs: Counts
    outcomes: Counts = field(default_factory=dict)
    results: Counts = field(default_factory=dict)
    remedies: Mapping[str, str] = field(default_factory=dict)
    lack: str = "score"
    note: str = ""

    def __add__(self, other: Summary) -> Summary:
        """The numbers of two parts together."""
        inputs, outcomes, results = (
            _sum(getattr(self, name), getattr(other, name)) for name in ("inputs", "outcomes", "results")
        )
        return Summary(inputs, outcomes, results, {**self.remedies, **other.remedies}, self.lack, self.note)

    def __str__(self) -> str:
        """One line: what was read, how it ended, what came of it."""
        results = _listed(self.results) + (f" ({self.note})" if self.note else "")
        outcomes = ", ".join(f"{count:,} {name}" for name, count in self._ordered.items() if count)
        text = _listed(self.inputs) + (f": {outcomes}" if outcomes else "")
        return f"{text}; {results}" if results else text

    def counts(self) -> dict[str, int]:
        """Return all numbers by name, as they are written to the provenance."""
        return {**self.inputs, **self._ordered, **self.results}

    def warning(self) -> str | None:
        """Return a warning when more than 5 % of the items have no result: how many, the main reason, and a remedy."""
        lacking = {name: count for name, count in self._ordered.items() if name in self.remedies and count}
        total, without = sum(self.outcomes.values()), sum(lacking.values())
        if without <= TOLERATED * total:
            return None
        reason, count = next(iter(lacking.items()))
        items = f"{without:,} of {total:,} {next(iter(self.inputs))} ({without / total:.0%})"
        most = "" if reason == f"without a {self.lack}" else f", most often {reason} ({count:,})"
        return f"{items} have no {self.lack}{most}: {self.remedies[reason]}"

    @property
    def _ordered(self) -> dict[str, int]:
        """The outcomes: results first, then the most frequent, then by name, so that the order of parts is unseen."""
        names = sorted(self.outcomes, key=lambda name: (name in self.remedies, -self.outcomes[name], name))
        return {name: self.outcomes[name] for name in names}


@runtime_checkable
class Counting(Protocol):
    """A task that counts the rows of one part."""

    def count(self, rows: pl.DataFrame) -> Summary:
        """The numbers of one part; also of a part without rows."""
        ...


@runtime_checkable
class Concluding(Protocol):
    """A task whose counts are complete only once its output is made."""

    def conclude(self, counted: Summary, made: Any) -> Summary:
        """Return the counts of the run, from those of its rows and the output: its path, or what `collect` gave."""
        ...


@runtime_checkable
class Described(Protocol):
    """A task that describes how its output was made."""

    def metadata(self) -> dict[str, str]:
        """Return the settings that made the output, by name."""
        ...


class Tally:
    """Counts the rows of a run as they pass on their way into the output.

    Args:
        task: what counts them; the items of the input are counted where it does not.
        items: of the input.
    """

    def __init__(self, task: Any, items: int) -> None:
        self._task, self._items = task, items
        self._parts: list[Summary] = []

    def counted(self, frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """The same frames, counted."""
        for frame in frames:
            if isinstance(self._task, Counting):
                self._parts.append(self._task.count(frame))
            yield frame

    def summary(self, made: Any) -> Summary:
        """Return what the run did; ``made`` is the output's path, or what was collected."""
        counted = reduce(add, self._parts) if self._parts else Summary({unit(self._task): self._items})
        return self._task.conclude(counted, made) if isinstance(self._task, Concluding) else counted


def numbered(count: int, plural: str) -> str:
    """A number and what it counts: ``2 sequences``, ``1 sequence``."""
    return f"{count:,} {plural if count != 1 else re.sub(_PLURAL, '', plural, count=1)}"


def unit(task: Any) -> str:
    """What the items of a task are called, in the plural."""
    return getattr(task, "unit", "items")


def warn_missing_results(summary: Summary) -> None:
    """Warn, as `DataWarning`, when too many items have no result."""
    if text := summary.warning():
        warnings.warn(text, DataWarning, stacklevel=2)


def provenance_path(out: Path) -> Path:
    """Return the path of the record beside an output file, ``OUT.provenance.json``."""
    return out.with_name(f"{out.name}.provenance.json")


def write_counts(task: Any, out: Path, summary: Summary) -> None:
    """Write the counts into the provenance, as ``counts``: inside a folder, beside a file."""
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
