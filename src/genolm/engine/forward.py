"""Windows through the model in batches that fit into memory."""

from __future__ import annotations

import gc
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genolm.engine.batches import length_buckets
from genolm.engine.free_memory import format_bytes, is_out_of_memory
from genolm.engine.plan import Plan, part_items
from genolm.engine.preflight import fits, need_and_free, tokens_at_once
from genolm.errors import NonFiniteError, ResourceError, RunError

if TYPE_CHECKING:
    import polars as pl

    from genolm.engine.progress import Progress
    from genolm.engine.task import Task
    from genolm.engine.windows import Window
    from genolm.models.model import Model


@dataclass(slots=True)
class Batcher:
    """Sends windows through the model and remembers, for one run, how large a batch may be.

    When memory runs out the budget is halved for the rest of the run, down to single windows.

    Attributes:
        task: whose ``forward`` is called.
        model: what goes into it.
        token_budget: most tokens of a batch, pads included.
        progress: is told about halvings and about the bases that are done.
    """

    task: Task[Any, Any]
    model: Model
    token_budget: int
    progress: Progress

    def bases(self, cost: int) -> int:
        """Bases that a cost in tokens amounts to, about."""
        return round(cost * self.model.tokenizer.bases_per_token)

    def frames(self, plan: Plan, numbers: Collection[int]) -> Iterator[tuple[int, pl.DataFrame]]:
        """Computes the wanted parts of the plan, one after the other: number and rows.

        Raises:
            NonFiniteError: when the model gives a number that is not finite; the error names the sequence or site.
            ResourceError: when memory runs out beyond what smaller batches can help.
        """
        for number, items in part_items(self.task.items(), plan, numbers):
            yield number, self._rows(items, self.bases(plan.costs[number]))

    def _rows(self, items: list[Any], bases: int) -> pl.DataFrame:
        try:
            windows = self.task.windows(items, self.model)
            return self.task.rows(items, windows, self.outputs(windows, bases))
        except _UnnamedError as found:
            raise found.named(self.task, items) from None
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            raise ResourceError("not enough memory for the rows of one part; ask for fewer layers or values") from error

    def outputs(self, windows: Sequence[Window], bases: int) -> list[Any]:
        """One output for every window, in their order.

        Args:
            windows: the windows of one part.
            bases: what the part adds to the progress; shared out over the batches.

        Raises:
            ResourceError: when a single window does not fit, where that can be foretold before it is tried.
        """
        lengths = [window.token_count(self.model.tokenizer.bases_per_token) for window in windows]
        outputs: dict[int, Any] = {}
        self._check(max(lengths, default=0))
        meter = _Meter(self.progress, bases, sum(lengths))
        waiting = list(range(len(windows)))
        while waiting:
            waiting = self._pass(windows, lengths, waiting, outputs, meter)
        meter.finish()
        return [outputs[number] for number in range(len(windows))]

    def _pass(
        self, windows: Sequence[Window], lengths: list[int], waiting: list[int], outputs: dict[int, Any], meter: _Meter
    ) -> list[int]:
        """Runs the waiting windows until all are done or memory runs out; returns those not done."""
        for bucket in length_buckets([lengths[number] for number in waiting], self.token_budget):
            batch = [waiting[place] for place in bucket]
            results = self._attempt([windows[number] for number in batch])
            if results is None:
                self._halve([lengths[number] for number in batch])
                break
            outputs.update(zip(batch, results))
            meter.advance(sum(lengths[number] for number in batch))
        return [number for number in waiting if number not in outputs]

    def _attempt(self, batch: list[Window]) -> list[Any] | None:
        """The outputs of one batch; None when memory ran out."""
        import torch

        try:
            with torch.inference_mode():
                results = self.task.forward(self.model, batch)
        except NonFiniteError as error:
            raise _UnnamedError(error, batch[error.row]) from None
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            return None  # the error, and the tensors that its traceback holds, are gone before the next attempt
        if len(results) != len(batch):
            raise RunError(f"task {self.task.name} gave {len(results)} outputs for {len(batch)} windows")
        return results

    def _check(self, longest: int) -> None:
        """A window beyond the budget, for which the preflight did not speak, must fit by estimate."""
        if longest > self.token_budget and not fits(self.task, self.model, tokens_at_once(self.model, longest)):
            raise ResourceError(self._too_long(longest))

    def _halve(self, lengths: list[int]) -> None:
        _release()
        if len(lengths) == 1:
            raise ResourceError(self._too_long(lengths[0]))
        self.token_budget = max(1, max(lengths) * len(lengths) // 2)
        self.progress.note(f"out of memory: going on with batches of {self.token_budget:,} tokens")

    def _too_long(self, tokens: int) -> str:
        need, free = need_and_free(self.task, self.model, tokens_at_once(self.model, tokens))
        left = f", {format_bytes(free)} free" if free is not None else ""
        return (
            f"a window of {tokens:,} tokens does not fit into memory (about {format_bytes(need)} beyond the weights{left});"
            " use a shorter context or shorter windows"
        )


class _UnnamedError(Exception):
    """Numbers that are not finite, with the window that they came from."""

    def __init__(self, error: NonFiniteError, window: Window) -> None:
        super().__init__(str(error))
        self.error, self.window = error, window

    def named(self, task: Task[Any, Any], items: Sequence[Any]) -> NonFiniteError:
        """Return the error with the sequence or site in the task's words, where the task has any."""
        subject = getattr(task, "subject", None)
        return self.error if subject is None else self.error.about(subject(items, self.window, self.error.part))


@dataclass(slots=True)
class _Meter:
    """Turns finished tokens into a part's share of the bases, so that every part ends on its planned number."""

    progress: Progress
    bases: int
    tokens: int
    done: int = 0
    told: int = 0

    def advance(self, tokens: int) -> None:
        self.done += tokens
        self._tell(self.bases * self.done // max(1, self.tokens))

    def finish(self) -> None:
        self._tell(self.bases)

    def _tell(self, bases: int) -> None:
        self.progress.advance(bases - self.told)
        self.told = bases


def _release() -> None:
    gc.collect()
    torch = sys.modules["torch"]
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
