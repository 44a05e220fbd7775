"""Steps of a continuation, as a backend yields them. A: rows of a step, T: new tokens of a row."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from genolm.tasks.reading.continuation.limits import Reason
from genolm.tasks.reading.continuation.prompts import Prompt, TokenIds
from genolm.tasks.reading.continuation.sampling import Sampler

Value = TypeVar("Value", bound=np.generic)

NONE_ENDED: Mapping[int, Reason] = MappingProxyType({})


class Step(NamedTuple):
    """New tokens of several rows; a row is a prompt, by its index.

    Attributes:
        rows_A: rows that received a token; a row that received several is repeated, in their order.
        ids_A: the tokens, without end tokens.
        log_probs_A: log-probability of each token in nats under the model, before exclusions and the sampler's rules.
        ended: rows that ended with this step, and why.
    """

    rows_A: TokenIds
    ids_A: TokenIds
    log_probs_A: NDArray[np.float32] | NDArray[np.float64]
    ended: Mapping[int, Reason] = NONE_ENDED


StepStream = Generator[Step, None, None]
"""Steps of several rows until each has ended; closing them stops the computation and frees its memory."""

Backend = Callable[[Sequence[Prompt], Sampler], StepStream]
"""What continues prompts: :func:`genolm.tasks.reading.continuation.continue_prompts.continue_prompts`, or vLLM."""


class Continuation(NamedTuple):
    """Continuation of one prompt.

    Attributes:
        ids_T: new tokens, without the end token.
        log_probs_T: log-probability of each in nats under the model, before exclusions and the settings of the
            sampler; float64.
        reason: why the sequence ended.
    """

    ids_T: TokenIds
    log_probs_T: NDArray[np.float64]
    reason: Reason


def collect(steps: Iterable[Step], rows: int) -> list[Continuation]:
    """Run all steps; return the continuation of each row."""
    kept: list[Step] = []
    reasons: dict[int, Reason] = {}
    for step in steps:
        kept.append(step)
        reasons.update(step.ended)
    tokens = zip(new_tokens(kept, rows), _log_probs(kept, rows))
    return [Continuation(ids_T, log_probs_T, reasons[row]) for row, (ids_T, log_probs_T) in enumerate(tokens)]


def new_tokens(steps: Sequence[Step], rows: int) -> list[TokenIds]:
    """Return the new tokens of each row."""
    return _by_row(steps, rows, np.concatenate([np.zeros(0, np.int64), *(step.ids_A for step in steps)]))


def _log_probs(steps: Sequence[Step], rows: int) -> list[NDArray[np.float64]]:
    return _by_row(steps, rows, np.concatenate([np.zeros(0), *(step.log_probs_A for step in steps)]))


def _by_row(steps: Sequence[Step], rows: int, values: NDArray[Value]) -> list[NDArray[Value]]:
    numbers = np.concatenate([np.zeros(0, np.int64), *(step.rows_A for step in steps)])
    ends = np.bincount(numbers, minlength=rows).cumsum()
    return np.split(values[numbers.argsort(kind="stable")], ends[:-1])[:rows]
