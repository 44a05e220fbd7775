"""Interface between a run and what computes its parts."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import polars as pl

    from genolm.engine.plan import Plan
    from genolm.engine.work import Work


@dataclass(frozen=True, slots=True)
class ComputedPart:
    """Rows of one part.

    Attributes:
        number: number of the part, 0-based.
        rows: rows of the part.
        seconds: time that the computation took, without loading the model.
        worker: name of the worker that computed it.
        token_budget: maximum tokens of a batch at the end of the part, after any halving.
    """

    number: int
    rows: pl.DataFrame
    seconds: float
    worker: str
    token_budget: int


class Executor(Protocol):
    """Computes the parts of a run, here or in other processes; a frozen value without open resources."""

    def compute(self, work: Work, plan: Plan, numbers: Collection[int], token_budget: int) -> Iterator[ComputedPart]:
        """Yield the given parts, each once, in any order; release all workers when the iterator is closed.

        Emits :class:`genolm.engine.events.Advanced` for finished bases, and stops if the run is cancelled.

        Args:
            work: task, model and observer.
            plan: division of the input into parts.
            numbers: parts to compute.
            token_budget: maximum tokens of a batch, padding included.

        Raises:
            NonFiniteError: the model returned NaN or infinity; the error names the sequence or site.
            ResourceError: a single window, or the rows of one part, do not fit into memory.
            CancelledError: the run was cancelled.
        """
        ...


def in_order(parts: Iterator[ComputedPart], numbers: Collection[int]) -> Iterator[ComputedPart]:
    """Yield parts in the order of ``numbers``; those that arrive early are held in memory."""
    waiting: dict[int, ComputedPart] = {}
    for number in numbers:
        while number not in waiting:
            part = next(parts)
            waiting[part.number] = part
        yield waiting.pop(number)
