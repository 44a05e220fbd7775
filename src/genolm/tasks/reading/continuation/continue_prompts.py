"""Continuation of a batch of prompts token by token: the one loop of generation with torch.

Shapes: A active rows, V choices; see :mod:`genolm.tasks.reading.continuation.choices`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genolm.engine.batches import collate
from genolm.errors import ModelError
from genolm.models.finite import first_not_finite, not_finite
from genolm.models.networks.stepping import Steps
from genolm.tasks.reading.continuation.choices import Choices, Vocabulary
from genolm.tasks.reading.continuation.limits import Limits, Reason
from genolm.tasks.reading.continuation.prompts import Prompt, TokenIds
from genolm.tasks.reading.continuation.sampling import Sampler
from genolm.tasks.reading.continuation.steps import NONE_ENDED, Step, StepStream, new_tokens
from genolm.tasks.reading.hidden_states import CHUNK_TOKENS

if TYPE_CHECKING:
    from genolm.models.model import Model


@torch.inference_mode()
def continue_prompts(
    model: Model,
    prompts: Sequence[Prompt],
    sampler: Sampler,
    *,
    choices: Choices | None = None,
    chunk: int | None = None,
    pack: bool = True,
) -> StepStream:
    """Continue prompts together; yield one step after each pass of the model.

    Only tokens of A, C, G and T and the end token are sampled. Prompts are padded on the left; masks and positions
    ensure that a sequence does not depend on the other sequences of the batch. Rows that end leave the batch; rows that
    slide are read again when all others have ended.

    Nothing is computed between two steps. Closing the iterator frees the cache.

    Args:
        model: a decoder.
        prompts: prompts with their limits and random numbers; one number is used per token.
        sampler: sampling rule.
        choices: what is chosen from; None: :class:`Vocabulary`.
        chunk: maximum prompt tokens per pass; None: the default.
        pack: allow a copy of the weights for speed.

    Raises:
        ModelError: if a prompt fills the context without ``limits.slide``, or no token of the vocabulary consists of
            A, C, G and T.
        NonFiniteError: if a log-probability is NaN or infinite; its row is the index of the prompt.
    """
    longest = max((len(prompt.ids_L) for prompt in prompts if not prompt.limits.slide), default=0)
    if longest >= model.context:
        raise ModelError(f"a prompt of {longest:,} tokens fills the model's context of {model.context:,} tokens")
    choices = choices or Vocabulary(model)
    rows = [_Row(number, prompt, np.zeros(0, np.int64)) for number, prompt in enumerate(prompts)]
    while rows:
        batch = _Batch(model, rows, sampler, choices)
        steps = []
        for step in batch.steps(chunk or CHUNK_TOKENS, pack):
            steps.append(step)
            yield step
        new = new_tokens(steps, len(prompts)) if batch.full else []
        rows = [row.extended(new[row.number]) for row in rows if row.number in batch.full]


class _Row(NamedTuple):
    """A prompt by its index, with the tokens of earlier batches."""

    number: int
    prompt: Prompt
    new_T: TokenIds

    def extended(self, ids: TokenIds) -> _Row:
        return self._replace(new_T=np.concatenate([self.new_T, ids]))

    def read(self, begin: int, context: int) -> TokenIds:
        """Return the input ids: all tokens, or the begin tokens and the later half of a full context."""
        ids = np.concatenate([self.prompt.ids_L, self.new_T])
        if len(ids) < context:
            return ids
        kept = max(1, context // 2 - begin)
        return np.concatenate([ids[:begin], ids[-kept:]])


class _Batch:
    """Rows that are read together and continued until each ends or fills the context.

    Attributes:
        full: numbers of the rows that filled the context and slide.
    """

    def __init__(self, model: Model, rows: Sequence[_Row], sampler: Sampler, choices: Choices) -> None:
        self.model, self.sampler, self.choices = model, sampler, choices
        self.inputs = [row.read(len(model.begin_ids), model.context) for row in rows]
        self.numbers_A = np.array([row.number for row in rows])
        self.prompts = [row.prompt for row in rows]
        self.counts = _Counts.of(model, rows, self.inputs)
        self.penalised_AV = self._penalised(rows)
        self.full: set[int] = set()

    def steps(self, chunk: int, pack: bool) -> Iterator[Step]:
        """Yield the steps of all rows."""
        scores_AV, steps = self._read(chunk, pack)
        while True:
            chosen_A, log_probs_A = self._choose(scores_AV)
            ids_A = self.choices.ids(chosen_A)
            active_A = self._count(chosen_A, ids_A.numpy())
            yield self._step(chosen_A.numpy(), ids_A.numpy(), log_probs_A.numpy(), active_A)
            if not active_A.all():
                if not active_A.any():
                    return
                kept = torch.from_numpy(active_A.nonzero()[0])
                self._keep(kept)
                steps.keep(kept.to(self.model.device))
                ids_A = ids_A[kept]
            scores_AV = steps.next(ids_A.to(self.model.device)).cpu()

    def _read(self, chunk: int, pack: bool) -> tuple[Tensor, Steps]:
        """Read the prompts; return the scores (A, V) of the first new token, and the steps to the next ones."""
        rows = [ids.astype(np.int32) for ids in self.inputs]
        batch = collate(rows, self.model.tokenizer, side="left", device=self.model.device)
        mask = None if bool(batch.mask_BL.all()) else batch.mask_BL
        expected = self.counts.expected_steps(self.model.tokenizer.bases_per_token)
        scores_AV, steps = self.choices.begin(batch.ids_BL, mask, expected, chunk, pack=pack)
        return scores_AV.cpu(), steps

    def _choose(self, scores_AV: Tensor) -> tuple[Tensor, Tensor]:
        """Return a choice for each row and its log-probability under the model; may overwrite the scores."""
        log_probs_AV = self.choices.log_probs(scores_AV)
        index = first_not_finite(log_probs_AV.amin(1))
        if index is not None:
            raise not_finite(self.model, int(self.numbers_A[index]))
        scores_AV = self.choices.allowed(scores_AV)
        if self.choices.end >= 0:
            early_A = torch.from_numpy(self.counts.early())
            scores_AV[:, self.choices.end].masked_fill_(early_A, float("-inf"))
        uniform_A = torch.zeros(len(self.prompts), dtype=torch.float64)
        if self.sampler.temperature:
            uniform_A = torch.tensor([prompt.random.random() for prompt in self.prompts], dtype=torch.float64)
        chosen_A = self.sampler.choose(scores_AV, self.penalised_AV, uniform_A)
        return chosen_A, log_probs_AV.gather(1, chosen_A[:, None])[:, 0]

    def _count(self, chosen_A: Tensor, ids_A: TokenIds) -> NDArray[np.bool_]:
        """Count the new tokens; return a mask of the rows that continue in this batch."""
        ended_A = chosen_A.numpy() == self.choices.end
        self.counts.add(ended_A, self.model.tokenizer.lengths[ids_A])
        if self.sampler.repetition_penalty != 1:
            self.penalised_AV.scatter_(1, chosen_A[:, None], True)
        return ~(ended_A | self.counts.reached()) & (self.counts.room_A > 0)

    def _step(
        self, chosen_A: TokenIds, ids_A: TokenIds, log_probs_A: NDArray[np.float32], active_A: NDArray[np.bool_]
    ) -> Step:
        """Return the step, without end tokens; note the rows that slide."""
        if active_A.all():
            return Step(self.numbers_A, ids_A, log_probs_A, NONE_ENDED)
        real_A, reached_A = chosen_A != self.choices.end, self.counts.reached()
        ended: dict[int, Reason] = {}
        for index in np.flatnonzero(~active_A).tolist():
            number = int(self.numbers_A[index])
            reason: Reason = "stop" if not real_A[index] else "length" if reached_A[index] else "context"
            if reason == "context" and self.prompts[index].limits.slide:
                self.full.add(number)
            else:
                ended[number] = reason
        return Step(self.numbers_A[real_A], ids_A[real_A], log_probs_A[real_A], ended)

    def _keep(self, kept: Tensor) -> None:
        """Continue with these rows only."""
        self.prompts = [self.prompts[index] for index in kept.tolist()]
        self.numbers_A, self.counts = self.numbers_A[kept.numpy()], self.counts.kept(kept.numpy())
        if self.sampler.repetition_penalty != 1:
            self.penalised_AV = self.penalised_AV[kept]

    def _penalised(self, rows: Sequence[_Row]) -> Tensor:
        """Return a mask of the choices that a repetition penalty applies to."""
        penalised_AV = torch.zeros(len(rows), self.choices.count, dtype=torch.bool)
        if self.sampler.repetition_penalty != 1:
            for index, row in enumerate(rows):
                penalised_AV[index, self.choices.penalised(row.prompt.ids_L, row.new_T)] = True
        return penalised_AV


_NEVER = 2**62


class _Counts(NamedTuple):
    """Numbers of new tokens and bases of each row, the room in its context, and its limits."""

    tokens_A: TokenIds
    bases_A: TokenIds
    room_A: TokenIds
    least_tokens_A: TokenIds
    most_tokens_A: TokenIds
    least_bases_A: TokenIds
    most_bases_A: TokenIds

    @classmethod
    def of(cls, model: Model, rows: Sequence[_Row], inputs: Sequence[TokenIds]) -> _Counts:
        """Return the counts before the first step."""
        lengths_V = model.tokenizer.lengths
        counts = [
            (len(row.new_T), lengths_V[row.new_T].sum(), model.context - len(ids), *_bounds(row.prompt.limits))
            for row, ids in zip(rows, inputs)
        ]
        return cls(*np.array(counts, np.int64).T.copy())

    def add(self, ended_A: NDArray[np.bool_], bases_A: TokenIds) -> None:
        """Count a token of each row, in place; the end token does not count."""
        np.add(self.tokens_A, ~ended_A, out=self.tokens_A)
        np.add(self.bases_A, bases_A, out=self.bases_A)
        np.subtract(self.room_A, 1, out=self.room_A)

    def early(self) -> NDArray[np.bool_]:
        """Return a mask of the rows that must not end yet."""
        return (self.tokens_A < self.least_tokens_A) | (self.bases_A < self.least_bases_A)

    def reached(self) -> NDArray[np.bool_]:
        """Return a mask of the rows that reached a maximum."""
        return (self.tokens_A >= self.most_tokens_A) | (self.bases_A >= self.most_bases_A)

    def kept(self, rows: TokenIds) -> _Counts:
        """Return the counts of these rows."""
        return _Counts(*(values[rows] for values in self))

    def expected_steps(self, bases_per_token: float) -> int:
        """Return the approximate number of steps to come."""
        by_bases_A = 1 + (self.most_bases_A / bases_per_token).astype(np.int64)
        return max(1, int(np.minimum(np.minimum(self.room_A, self.most_tokens_A), by_bases_A).max()))


def _bounds(limits: Limits) -> tuple[int, int, int, int]:
    """Return least and most tokens and bases; missing maxima, and minima with ``ignore_end``, are never reached."""
    least = _NEVER if limits.ignore_end else limits.min_tokens
    return least, limits.max_tokens or _NEVER, limits.min_bases, limits.max_bases or _NEVER
