"""What a run did."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


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
    """

    out: Path | None
    table: Any
    items: int
    parts: int
    computed: int
    missing: tuple[int, ...] = ()
    token_budget: int = 0
