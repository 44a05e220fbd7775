"""Computation in the calling process, one part after the other."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from genolm.engine.executors.executor import ComputedPart
from genolm.engine.forward import Batcher
from genolm.engine.plan import part_items

if TYPE_CHECKING:
    from genolm.engine.plan import Plan
    from genolm.engine.work import Work


@dataclass(frozen=True, slots=True)
class InProcess:
    """Executor that computes with the loaded model in the calling process."""

    def compute(self, work: Work, plan: Plan, numbers: Collection[int], token_budget: int) -> Iterator[ComputedPart]:
        """Yield the given parts in order; see :class:`genolm.engine.executors.executor.Executor`."""
        batcher = Batcher(work, token_budget)
        worker = str(work.model.device)
        for number, items in part_items(work.task.items(), plan, numbers):
            started = time.perf_counter()
            rows = batcher.rows(items, work.bases(plan.costs[number]))
            yield ComputedPart(number, rows, time.perf_counter() - started, worker, batcher.token_budget)
