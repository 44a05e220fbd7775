"""Results and estimates of runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from genolm.engine.free_memory import format_bytes
from genolm.engine.summary import Summary, numbered
from genolm.remedies import Notice


@dataclass(frozen=True, slots=True)
class Result:
    """Outcome of a run.

    Attributes:
        out: path of the output; None if the run was in memory or parts are missing.
        table: collected rows; only for runs in memory.
        items: number of input items.
        parts: number of parts of the run.
        computed: number of parts that this call computed.
        missing: 0-based numbers of the missing parts; only after a shard.
        token_budget: tokens of a batch at the end, after any halving; 0 for a merge.
        summary: counts of items, outcomes and results; None after a shard.
        notes: notes to the user, in order.
        folder: folder of the parts that a shard left; None otherwise.
        estimate: estimate of a dry run, which computes nothing; None otherwise.
    """

    out: Path | None
    table: Any
    items: int
    parts: int
    computed: int
    missing: tuple[int, ...] = ()
    token_budget: int = 0
    summary: Summary | None = None
    notes: tuple[str, ...] = ()
    folder: Path | None = None
    estimate: Estimate | None = None

    def with_notes(self, notes: Iterable[Notice]) -> Result:
        """Return the result with notes to the user."""
        return replace(self, notes=tuple(map(str, notes)))


@dataclass(frozen=True, slots=True)
class Estimate:
    """Estimated work, memory and time of a run.

    Attributes:
        unit: plural noun for the items.
        items: number of input items.
        parts: number of parts of the run.
        items_left: items to compute; fewer than ``items`` with finished parts, or for a shard.
        parts_left: parts to compute.
        tokens_left: approximate number of tokens to compute.
        bases_left: approximate number of bases to compute.
        token_budget: maximum tokens of a batch.
        weight_bytes: memory of the weights.
        batch_bytes: estimated peak memory of a batch beyond the weights.
        free_bytes: free memory with the weights loaded; None if unknown.
        batches: number of measured batches; 0 if nothing is left to compute.
        measured_seconds: duration of the measurement.
        seconds: estimated duration of the run once the model is loaded, without writing the output and without
            analyses that need all rows.
    """

    unit: str
    items: int
    parts: int
    items_left: int
    parts_left: int
    tokens_left: int
    bases_left: int
    token_budget: int
    weight_bytes: int
    batch_bytes: int
    free_bytes: int | None
    batches: int
    measured_seconds: float
    seconds: float

    def fields(self) -> dict[str, str]:
        """Return the estimate as lines of text by label."""
        complete = f"{numbered(self.items, self.unit)} in {numbered(self.parts, 'parts')}"
        left = f"{numbered(self.items_left, self.unit)} in {numbered(self.parts_left, 'parts')}"
        free = "" if self.free_bytes is None else f", {format_bytes(self.free_bytes)} free"
        weights, batch = format_bytes(self.weight_bytes), format_bytes(self.batch_bytes)
        return {
            "input": complete if self.parts_left == self.parts else f"{complete}; left: {left}",
            "to compute": f"about {self.bases_left:,} bases, {self.tokens_left:,} tokens",
            "batches": f"of at most {self.token_budget:,} tokens",
            "memory": f"weights {weights}, a batch about {batch} at its peak{free}",
            "time": self._time(),
        }

    def _time(self) -> str:
        if not self.parts_left:
            return "nothing is left to compute"
        if not self.batches:
            return f"about {duration(self.seconds)}: no item passes through the model"
        batches = "1 batch" if self.batches == 1 else f"{self.batches} batches"
        return f"about {duration(self.seconds)}, estimated from {batches} in {duration(self.measured_seconds)}"

    def __str__(self) -> str:
        """Return one line per label."""
        return "\n".join(f"{name}: {text}" for name, text in self.fields().items())


def duration(seconds: float) -> str:
    """Format a duration: ``0.4 s``, ``42 s``, ``3 min 20 s``, ``2 h 05 min``, ``3 d 4 h``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if round(seconds) < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"
