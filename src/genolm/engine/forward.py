"""Model passes of windows, in batches that fit into memory."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genolm.engine.batches import length_buckets
from genolm.engine.events import Advanced, BatchHalved
from genolm.engine.free_memory import format_bytes, is_out_of_memory, tokens_at_once
from genolm.errors import NonFiniteError, ResourceError, RunError

if TYPE_CHECKING:
    import polars as pl

    from genolm.engine.events import Observer
    from genolm.engine.task import AnyTask
    from genolm.engine.windows import Window
    from genolm.engine.work import Work


@dataclass(slots=True)
class Batcher:
    """Passes windows through the model in batches; when memory runs out, batches are halved for the rest of the run.

    Attributes:
        work: task and model.
        token_budget: maximum tokens of a batch, padding included.
    """

    work: Work
    token_budget: int

    def rows(self, items: list[Any], bases: int) -> pl.DataFrame:
        """Compute the rows of one part.

        Args:
            items: items of the part.
            bases: bases by which the part advances the progress, distributed over its batches.

        Raises:
            NonFiniteError: the model returned NaN or infinity; the error names the sequence or site.
            ResourceError: a single window, or the rows of one part, do not fit into memory.
        """
        task = self.work.task
        try:
            windows = task.windows(items, self.work.model)
            return task.rows(items, windows, self.outputs(windows, bases))
        except _UnnamedError as error:
            raise error.named(task, items) from None
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            raise ResourceError(
                "not enough memory for the rows of one part; request fewer layers or values", code="out-of-memory"
            ) from error

    def outputs(self, windows: Sequence[Window[Any]], bases: int) -> list[Any]:
        """Return one output per window, in order.

        Args:
            windows: the windows of one part.
            bases: bases by which the part advances the progress, distributed over its batches.

        Raises:
            ResourceError: a single window does not fit, by estimate or by trial.
        """
        lengths = [window.token_count(self.work.model.tokenizer.bases_per_token) for window in windows]
        outputs: dict[int, Any] = {}
        self._check(max(lengths, default=0))
        meter = _Meter(self.work.observer, bases, sum(lengths))
        pending = list(range(len(windows)))
        while pending:
            pending = self._run_batches(windows, lengths, pending, outputs, meter)
        meter.finish()
        return [outputs[number] for number in range(len(windows))]

    def _run_batches(
        self,
        windows: Sequence[Window[Any]],
        lengths: list[int],
        pending: list[int],
        outputs: dict[int, Any],
        meter: _Meter,
    ) -> list[int]:
        """Run pending windows until all are done or memory runs out; return the remaining ones."""
        for bucket in length_buckets([lengths[number] for number in pending], self.token_budget):
            batch = [pending[index] for index in bucket]
            results = self._try_batch([windows[number] for number in batch])
            if results is None:
                self._halve([lengths[number] for number in batch])
                break
            outputs.update(zip(batch, results))
            meter.advance(sum(lengths[number] for number in batch))
        return [number for number in pending if number not in outputs]

    def _try_batch(self, batch: list[Window[Any]]) -> list[Any] | None:
        """Return the outputs of one batch; None if memory ran out."""
        import torch

        self.work.observer.check()
        try:
            with torch.inference_mode():
                results = self.work.task.forward(self.work.model, batch)
        except NonFiniteError as error:
            raise _UnnamedError(error, batch[error.row]) from None
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            return None  # releases the error, and the tensors that its traceback holds, before the next attempt
        if len(results) != len(batch):
            raise RunError(f"task {self.work.task.name} returned {len(results)} outputs for {len(batch)} windows")
        return results

    def _check(self, longest: int) -> None:
        """Raise an error if a window exceeds the budget and, by estimate, does not fit into memory."""
        if longest > self.token_budget and not self.work.fits(tokens_at_once(self.work.model, longest)):
            raise self._too_long(longest)

    def _halve(self, lengths: list[int]) -> None:
        _free_memory()
        if len(lengths) == 1:
            raise self._too_long(lengths[0])
        self.token_budget = max(1, max(lengths) * len(lengths) // 2)
        reason = f"out of memory: continuing with batches of {self.token_budget:,} tokens"
        self.work.observer.emit(BatchHalved(self.token_budget, reason))

    def _too_long(self, tokens: int) -> ResourceError:
        need = self.work.memory(tokens_at_once(self.work.model, tokens))
        available = f", {format_bytes(need.free)} free" if need.free is not None else ""
        memory = f"about {format_bytes(need.bytes)} beyond the weights{available}"
        return ResourceError(
            f"a window of {tokens:,} tokens does not fit into memory ({memory})",
            code="out-of-memory",
            remedy="use a shorter context or shorter windows",
        )


class _UnnamedError(Exception):
    """Error of a non-finite value, with the window that caused it."""

    def __init__(self, error: NonFiniteError, window: Window[Any]) -> None:
        super().__init__(str(error))
        self.error, self.window = error, window

    def named(self, task: AnyTask, items: Sequence[Any]) -> NonFiniteError:
        """Return the error with the task's description of the sequence or site, if it gives one."""
        subject = getattr(task, "subject", None)
        return self.error if subject is None else self.error.about(subject(items, self.window, self.error.part))


@dataclass(slots=True)
class _Meter:
    """Converts finished tokens into bases, so that each part advances the progress by exactly its planned bases."""

    observer: Observer
    bases: int
    tokens: int
    done: int = 0
    reported: int = 0

    def advance(self, tokens: int) -> None:
        self.done += tokens
        self._report(self.bases * self.done // max(1, self.tokens))

    def finish(self) -> None:
        self._report(self.bases)

    def _report(self, bases: int) -> None:
        if bases > self.reported:
            self.observer.emit(Advanced(bases - self.reported))
        self.reported = bases


def _free_memory() -> None:
    gc.collect()
    torch = sys.modules["torch"]
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
