"""Estimation of a run's work, memory and time from a short measurement."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from genolm.engine.batches import length_buckets
from genolm.engine.events import Observer
from genolm.engine.forward import Batcher
from genolm.engine.plan import Plan, make_plan, part_items
from genolm.engine.result import Estimate
from genolm.engine.resumable import RunRequest, remaining_parts
from genolm.engine.summary import unit

if TYPE_CHECKING:
    from genolm.engine.task import AnyTask
    from genolm.engine.windows import Window
    from genolm.engine.work import Work

SECONDS = 10.0
"""Approximate duration of the measurement; a single window is always measured completely."""

_SAMPLES = 5  # number of measured stretches of the input
_GROWTH = 2.0  # a stretch may always have this many times the tokens of the previous one


@dataclass(frozen=True, slots=True)
class Sample:
    """Measurement of one stretch of the input.

    Attributes:
        tokens: tokens that passed through the model.
        batches: number of batches.
        spent: elapsed seconds.
        rate: seconds per estimated token (``Task.cost``).
    """

    tokens: int
    batches: int
    spent: float
    rate: float


def estimate_run(work: Work, request: RunRequest | None) -> Estimate:
    """Read and validate the input, and measure a few batches; ``request`` is None for a run in memory.

    Raises:
        InputError: an item is invalid.
        RunError: the run would be refused.
        ResourceError: a single window does not fit into memory.
    """
    imposed: AbstractContextManager[None]
    if request is None:
        plan, planned_budget, imposed = make_plan(work.task, work.observer), None, nullcontext()
        todo = list(range(plan.parts))
    else:
        manifest, todo = remaining_parts(work, request)
        plan, planned_budget, imposed = manifest.plan, manifest.token_budget, manifest.compute.imposed()
    batcher = Batcher(
        replace(work, observer=Observer(cancelled=work.observer.cancelled)), work.fitting_budget(planned_budget)
    )
    started = time.perf_counter()
    stretches = spread_over(work.task, plan, todo, batcher.token_budget)
    reading = time.perf_counter() - started
    with imposed:
        samples = measure(batcher, stretches)
    tokens = sum(plan.costs[number] for number in todo)
    memory = work.memory(batcher.token_budget)
    return Estimate(
        unit=unit(work.task),
        items=plan.items,
        parts=plan.parts,
        items_left=sum(plan.sizes[number] for number in todo),
        parts_left=len(todo),
        tokens_left=tokens,
        bases_left=work.bases(tokens),
        token_budget=batcher.token_budget,
        weight_bytes=work.model.weight_bytes,
        batch_bytes=memory.bytes,
        free_bytes=memory.free,
        batches=sum(sample.batches for sample in samples),
        measured_seconds=sum(sample.spent for sample in samples),
        seconds=2 * reading
        + tokens * _rate(samples),  # the input is read for validation, and again for the computation
    )


def spread_over(task: AnyTask, plan: Plan, todo: Sequence[int], tokens: int) -> list[list[Any]]:
    """Return stretches of consecutive items, of about ``tokens`` tokens each, spread over the remaining parts."""
    total = sum(plan.costs[number] for number in todo)
    starts = [max(0, total * (2 * number + 1) // (2 * _SAMPLES) - tokens // 2) for number in range(_SAMPLES)]
    stretches: list[list[Any]] = [[]]
    seen = size = 0
    for _, items in part_items(task.items(), plan, todo):
        for item in items:
            cost = task.cost(item)
            if starts and seen + cost > starts[0]:
                stretches[-1].append(item)
                size += cost
            seen += cost
            if size >= min(tokens, max(1, total // _SAMPLES)):
                stretches.append([])
                starts, size = starts[1:], 0
    return [stretch for stretch in stretches if stretch]


def measure(batcher: Batcher, stretches: Sequence[Sequence[Any]]) -> list[Sample]:
    """Time the stretches one after the other: first a single window, then as much of each as the time allows."""
    samples: list[Sample] = []
    tokens, spent = 1, 0.0
    for stretch in stretches:
        if samples and spent >= SECONDS:
            break
        if not samples:
            samples.append(_measure(batcher, stretch, 1))  # also warms the model up
            spent += samples[-1].spent
            if spent >= SECONDS:
                break
        last = samples[-1]
        tokens = int(last.tokens * max(_GROWTH, (SECONDS - spent) / 2 / max(last.spent, 1e-6)))
        samples.append(_measure(batcher, stretch, max(1, tokens)))
        spent += samples[-1].spent
    return samples


def _measure(batcher: Batcher, items: Sequence[Any], limit: int) -> Sample:
    """Time one stretch, or its first windows up to ``limit`` tokens (at least one window)."""
    task, model = batcher.work.task, batcher.work.model
    cost = sum(map(task.cost, items))
    started = time.perf_counter()
    windows = task.windows(items, model)
    ready = time.perf_counter()
    lengths = [window.token_count(model.tokenizer.bases_per_token) for window in windows]
    selected = list(_first_windows(windows, lengths, limit))
    outputs = batcher.outputs(selected, 0)
    computed = time.perf_counter()
    if len(selected) == len(windows):
        task.rows(items, windows, outputs)
    ended = time.perf_counter()
    tokens = sum(lengths[: len(selected)])
    scale = sum(lengths) / tokens if tokens else 1.0
    seconds = (ready - started) + (computed - ready) * scale + (ended - computed)
    batches = len(length_buckets(lengths[: len(selected)], batcher.token_budget))
    return Sample(tokens, batches, ended - started, seconds / max(1, cost))


def _first_windows(windows: Sequence[Window[Any]], lengths: Sequence[int], limit: int) -> Iterator[Window[Any]]:
    """Yield windows from the beginning until they have ``limit`` tokens."""
    tokens = 0
    for window, length in zip(windows, lengths):
        if tokens >= limit:
            return
        yield window
        tokens += length


def _rate(samples: Sequence[Sample]) -> float:
    """Return the seconds per token, from the samples most similar to the batches of the run."""
    largest = max((sample.tokens for sample in samples), default=0)
    similar = [sample for sample in samples if sample.tokens * 2 >= largest]
    weight = sum(sample.tokens for sample in similar)
    if not weight:
        return 0.0
    return sum(sample.rate * sample.tokens for sample in similar) / weight
