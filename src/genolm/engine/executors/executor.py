"""Interface between a run and what computes its parts."""

from __future__ import annotations

import time
from collections.abc import Collection, Generator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from genolm.engine.plan import part_items

if TYPE_CHECKING:
    import polars as pl

    from genolm.engine.compute_settings import ComputeSettings
    from genolm.engine.forward import Batcher
    from genolm.engine.plan import Plan
    from genolm.engine.work import Work
    from genolm.models.model import Model


@dataclass(frozen=True, slots=True)
class Job:
    """A part to compute.

    Attributes:
        number: number of the part, 0-based.
        items: items of the part.
        bases: bases by which the part advances the progress.
    """

    number: int
    items: list[Any]
    bases: int


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


Parts = Generator[ComputedPart, None, None]
"""Computed parts as they become available; closing it releases the workers."""


class Executor(Protocol):
    """Computes the parts of a run, here or in other processes; a frozen value without open resources."""

    @property
    def kind(self) -> str | None:
        """Kind of device of the workers: ``cpu``, ``cuda`` or ``mps``; None for the device of the loaded model."""
        ...

    def settings(self, model: Model, planned: ComputeSettings | None) -> ComputeSettings:
        """Return the settings that this executor computes with.

        Args:
            model: model of the run.
            planned: settings of the run that is continued, which are followed as far as possible; None for a new run.

        Raises:
            RunError: the workers are not available.
        """
        ...

    def compute(
        self, work: Work, settings: ComputeSettings, plan: Plan, numbers: Collection[int], token_budget: int
    ) -> Parts:
        """Yield the given parts, each once, in any order; release all workers when the iterator is closed.

        Emits :class:`genolm.engine.events.Advanced` for finished bases, and stops if the run is cancelled.

        Args:
            work: task, model and observer.
            settings: planned settings of the computation.
            plan: division of the input into parts.
            numbers: parts to compute.
            token_budget: maximum tokens of a batch, padding included.

        Raises:
            NonFiniteError: the model returned NaN or infinity; the error names the sequence or site.
            ResourceError: a single window, or the rows of one part, do not fit into memory.
            RunError: workers are lost, or cannot follow the settings.
            CancelledError: the run was cancelled.
        """
        ...


def jobs(work: Work, plan: Plan, numbers: Collection[int]) -> Iterator[Job]:
    """Read the items of the given parts, one part at a time."""
    for number, items in part_items(work.task.items(), plan, numbers):
        yield Job(number, items, work.bases(plan.costs[number]))


def compute_part(batcher: Batcher, job: Job, worker: str) -> ComputedPart:
    """Compute and time one part in this process."""
    started = time.perf_counter()
    rows = batcher.rows(job.items, job.bases)
    return ComputedPart(job.number, rows, time.perf_counter() - started, worker, batcher.token_budget)


def in_order(parts: Iterator[ComputedPart], numbers: Collection[int]) -> Iterator[ComputedPart]:
    """Yield parts in the order of ``numbers``; those that arrive early are held in memory."""
    waiting: dict[int, ComputedPart] = {}
    for number in numbers:
        while number not in waiting:
            part = next(parts)
            waiting[part.number] = part
        yield waiting.pop(number)
