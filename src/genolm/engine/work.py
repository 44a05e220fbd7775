"""Work of a run: the task, the model that computes it, and the batches that fit into memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from genolm.engine.events import BatchHalved, Observer
from genolm.engine.free_memory import MemoryNeed, batch_memory

if TYPE_CHECKING:
    from genolm.engine.compute_settings import ComputeSettings
    from genolm.engine.plan import Plan
    from genolm.engine.task import AnyTask
    from genolm.models.model import Model

CPU_BUDGET = 16_384  # tokens; larger batches are not faster on a CPU
DEVICE_BUDGET = 131_072
_SAMPLED_ITEMS, _SAMPLED_WINDOWS = 16, 64  # items and windows that represent those of the run
_SAMPLED_LENGTHS = 4
_SMALLEST = 1024  # below this the constant part of the estimate dominates: try instead of refusing


@dataclass(frozen=True, slots=True)
class Work:
    """A task with the model that computes it.

    Attributes:
        task: task to run.
        model: model that computes it.
        observer: receives the events of the run, and tells whether it was cancelled.
        token_budget: requested maximum tokens of a batch, padding included; None for a default that fits into memory.
    """

    task: AnyTask
    model: Model
    observer: Observer
    token_budget: int | None = None

    def bases(self, cost: int) -> int:
        """Convert an estimated number of tokens into bases."""
        return round(cost * self.model.tokenizer.bases_per_token)

    def fitting_budget(self, planned: int | None = None, device: str | None = None) -> int:
        """Return the tokens of a batch, halved until the estimate fits.

        Args:
            planned: budget of the run that is continued, used if none is requested; None for the device's default.
            device: kind of device of the workers, which check their own memory; None for the device of the model.
        """
        here = self.model.device.type
        kind = device or here
        fitting = budget = self.token_budget or planned or (CPU_BUDGET if kind == "cpu" else DEVICE_BUDGET)
        if kind != here:
            return budget
        while fitting > _SMALLEST and not self.fits(fitting):
            fitting //= 2
        if fitting < budget:
            reason = f"little free memory: batches of {fitting:,} instead of {budget:,} tokens"
            self.observer.emit(BatchHalved(fitting, reason))
        return fitting

    def with_kernels(self, settings: ComputeSettings, plan: Plan) -> ComputeSettings:
        """Return the settings of a new run with kernels that are selected for this processor.

        Workers with another kind of processor use the default kernels, unless others are pinned.

        Raises:
            InputError: an item is invalid, or the pinned kernels are.
        """
        from genolm.engine.compute_settings import machine
        from genolm.models.kernels.kernels import pinned_kernels

        chosen = pinned_kernels()
        here = settings.device == self.model.device.type == "cpu" and settings.processor == machine("cpu")[0]
        if chosen is None and here:
            with settings.imposed():
                chosen = self.model.select_kernels(self._lengths(), plan.cost)
        return settings if chosen is None else replace(settings, kernels=chosen.choices)

    def _lengths(self) -> list[int]:
        """Return the most frequent lengths of the first windows, in tokens rounded up to a power of two."""
        width = self.model.tokenizer.bases_per_token
        counts: Counter[int] = Counter()
        for item in islice(self.task.items(), _SAMPLED_ITEMS):
            tokens = (window.token_count(width) for window in self.task.windows([item], self.model))
            counts.update(1 << max(1, number - 1).bit_length() for number in tokens)
            if counts.total() >= _SAMPLED_WINDOWS:
                break
        return [length for length, _ in counts.most_common(_SAMPLED_LENGTHS)]

    def fits(self, tokens: int) -> bool:
        """Return whether a batch fits by estimate; True if the free memory is unknown."""
        return self.memory(tokens).fits

    def memory(self, tokens: int) -> MemoryNeed:
        """Return the estimated memory of a batch."""
        return batch_memory(self.model, tokens, logits=getattr(self.task, "logits", True))
