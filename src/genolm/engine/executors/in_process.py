"""Computation in the calling process, one part after the other."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from genolm.engine.compute_settings import ComputeSettings
from genolm.engine.executors.executor import Parts, compute_part, jobs
from genolm.engine.forward import Batcher

if TYPE_CHECKING:
    from genolm.engine.plan import Plan
    from genolm.engine.work import Work
    from genolm.models.model import Model


@dataclass(frozen=True, slots=True)
class InProcess:
    """Executor that computes with the loaded model in the calling process.

    Attributes:
        threads: CPU threads; None for those of the run that is continued, else those of the process.
    """

    threads: int | None = None

    @property
    def kind(self) -> None:
        """None: the device is that of the model."""
        return None

    def settings(self, model: Model, planned: ComputeSettings | None) -> ComputeSettings:
        """Return the settings; see :class:`genolm.engine.executors.executor.Executor`."""
        settings = ComputeSettings.here(model.device).following(planned)
        return settings if self.threads is None else replace(settings, threads=self.threads)

    def compute(
        self, work: Work, settings: ComputeSettings, plan: Plan, numbers: Collection[int], token_budget: int
    ) -> Parts:
        """Yield the given parts in order; see :class:`genolm.engine.executors.executor.Executor`."""
        batcher = Batcher(work, token_budget)
        with settings.imposed():
            for job in jobs(work, plan, numbers):
                yield compute_part(batcher, job, str(work.model.device))
