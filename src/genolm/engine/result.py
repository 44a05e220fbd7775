"""What a run did, or would do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genolm.engine.free_memory import format_bytes
from genolm.engine.summary import Summary, numbered


@dataclass(frozen=True, slots=True)
class Result:
    """What a run did.

    Attributes:
        out: the artefact; None when the run was in memory or parts are missing.
        table: what the task collected; only for runs in memory.
        items: items of the input.
        parts: parts of the whole run.
        computed: parts that this call computed.
        missing: 0-based numbers of the parts that are not there yet; only after a shard.
        token_budget: tokens of a batch at the end, after any halving; 0 for a merge.
        summary: how the items ended, and what came of them; None after a shard.
    """

    out: Path | None
    table: Any
    items: int
    parts: int
    computed: int
    missing: tuple[int, ...] = ()
    token_budget: int = 0
    summary: Summary | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a dry run found: how much a run has to do, what it needs, and how long it will take.

    Attributes:
        unit: what the items are called, in the plural.
        items: items of the whole input.
        parts: parts of the whole run.
        items_left: items that the run would still compute; fewer than ``items`` with finished parts, or of a shard.
        parts_left: their parts.
        tokens_left: tokens that go through the model for them, about.
        bases_left: the bases that these are, about.
        token_budget: most tokens of a batch.
        weight_bytes: memory of the weights.
        batch_bytes: memory of a batch beyond the weights at its peak, by estimate.
        free_bytes: memory that is free for it, the weights being loaded; None where that cannot be told.
        batches: how many batches were measured; 0 when nothing is left to do.
        measured_seconds: how long they took.
        seconds: how long the run will take once the model is loaded, without writing the output and without what a verb
            does with all rows together.
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
        """What there is to print, line by line."""
        whole = f"{numbered(self.items, self.unit)} in {numbered(self.parts, 'parts')}"
        some = f"{numbered(self.items_left, self.unit)} in {numbered(self.parts_left, 'parts')}"
        free = "" if self.free_bytes is None else f", {format_bytes(self.free_bytes)} free"
        weights, batch = format_bytes(self.weight_bytes), format_bytes(self.batch_bytes)
        return {
            "input": whole if self.parts_left == self.parts else f"{whole}; left: {some}",
            "to compute": f"about {self.bases_left:,} bases, {self.tokens_left:,} tokens",
            "batches": f"of at most {self.token_budget:,} tokens",
            "memory": f"weights {weights}, a batch about {batch} at its peak{free}",
            "time": self._time(),
        }

    def _time(self) -> str:
        if not self.parts_left:
            return "nothing is left to compute"
        if not self.batches:
            return f"about {duration(self.seconds)}: no item goes through the model"
        batches = "1 batch" if self.batches == 1 else f"{self.batches} batches"
        return f"about {duration(self.seconds)}, estimated from {batches} in {duration(self.measured_seconds)}"

    def __str__(self) -> str:
        """The fields, one a line."""
        return "\n".join(f"{name}: {text}" for name, text in self.fields().items())


def duration(seconds: float) -> str:
    """A time for people: ``0.4 s``, ``42 s``, ``3 min 20 s``, ``2 h 05 min``, ``3 d 4 h``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if round(seconds) < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"
