"""Pieces of sequences that are being generated."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from genolm.tasks.generation.generation_requests import Request
from genolm.tasks.reading.continuation.limits import Limits, Reason
from genolm.tasks.reading.continuation.steps import Step

if TYPE_CHECKING:
    from genolm.models.model import Model


@dataclass(frozen=True, slots=True)
class Piece:
    """New bases of one sequence.

    Attributes:
        id: name of the sequence, as in the table of :func:`genolm.generate`.
        prompt_id: name of its prompt.
        sample: index of the sequence among those of its prompt, from 1.
        bases: the new bases, those of one token or more; empty if only the end token was sampled.
        log_probability: sum of the log-probabilities of the new tokens in nats under the model, before the sampler's
            rules.
        reason: why the sequence ended with this piece: ``stop`` (end token), ``length`` (a maximum) or ``context``
            (full context); None if it continues.
    """

    id: str
    prompt_id: str
    sample: int
    bases: str
    log_probability: float
    reason: Reason | None = None

    @property
    def done(self) -> bool:
        """Whether this is the last piece of its sequence."""
        return self.reason is not None


def pieces(model: Model, requests: Sequence[Request], limits: Limits, steps: Iterator[Step]) -> Iterator[Piece]:
    """Yield the pieces of each step: one per request that received tokens or ended.

    Args:
        model: model whose tokens the steps hold.
        requests: the requests of the steps' rows.
        limits: limits of each, by which the last token is cut.
        steps: steps of a backend.
    """
    texts: dict[int, str] = {}
    lengths = [0] * len(requests)
    for step in steps:
        bases: defaultdict[int, str] = defaultdict(str)
        log_probs: defaultdict[int, float] = defaultdict(float)
        for row, token, log_prob in zip(step.rows_A.tolist(), step.ids_A.tolist(), step.log_probs_A.tolist()):
            if token not in texts:
                texts[token] = model.tokenizer.decode(np.array([token], np.int32))
            bases[row] += texts[token]
            log_probs[row] += log_prob
        for row in sorted({*bases, *step.ended}):
            text = limits.cut(bases[row], before=lengths[row])
            lengths[row] += len(text)
            request = requests[row]
            yield Piece(request.id, request.prompt_id, request.sample, text, log_probs[row], step.ended.get(row))
