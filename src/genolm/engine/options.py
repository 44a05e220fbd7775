"""Options of a bulk run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from genolm.engine.executors.in_process import InProcess
from genolm.engine.plan import Shard
from genolm.errors import RunError

if TYPE_CHECKING:
    from genolm.engine.executors.executor import Executor


@dataclass(frozen=True, slots=True)
class Options:
    """How a run is carried out; none of it determines the result.

    Attributes:
        resume: continue from the parts of an earlier run of the same task, model and input.
        overwrite: replace an existing output and the parts of an earlier run. A shard never removes parts.
        shard: compute only the i-th of n shares of the parts, given as ``"i/n"`` or ``(i, n)``; ``merge`` joins them.
            Shards may run at the same time, in one folder or on several machines, and continue from existing parts.
        keep_parts: keep the parts when the output is complete, for :func:`genolm.engine.analysis.analyse`.
        batch_tokens: maximum tokens of a batch, padding included; None for a default that fits into memory.
        executor: what computes the parts.

    Raises:
        RunError: ``batch_tokens`` is below 1, or the shard is invalid.
    """

    resume: bool = False
    overwrite: bool = False
    shard: str | tuple[int, int] | Shard | None = None
    keep_parts: bool = False
    batch_tokens: int | None = None
    executor: Executor = field(default_factory=InProcess)

    def __post_init__(self) -> None:
        if self.batch_tokens is not None and self.batch_tokens < 1:
            raise RunError(f"batch_tokens must be at least 1, not {self.batch_tokens}")
        if self.shard is not None:
            Shard.parse(self.shard)

    @property
    def share(self) -> Shard | None:
        """The share to compute; None for all parts."""
        return None if self.shard is None else Shard.parse(self.shard)

    @property
    def shard_name(self) -> str | None:
        """The shard as ``i/n``; None without a shard."""
        return None if self.shard is None else str(self.share)
