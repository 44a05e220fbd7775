"""Continuation of a batch of prompts token by token, for multi-base tokenizers.

Shapes: B sequences, A active sequences, V vocabulary, T new tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genolm.engine.batches import collate
from genolm.errors import InputError, ModelError
from genolm.models.finite import first_not_finite, not_finite
from genolm.models.networks.stepping import Steps, begin_steps
from genolm.tasks.reading.hidden_states import CHUNK_TOKENS
from genolm.tasks.reading.sampling import Sampler

if TYPE_CHECKING:
    from genolm.models.model import Model

Reason = Literal["stop", "length", "context"]
"""Why a sequence ended: end token, maximum length or full context."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a continuation; the end token is excluded until both minima are reached.

    Attributes:
        min_tokens: minimum number of new tokens, at least 1.
        max_tokens: maximum number of new tokens; None: no limit.
        min_bases: minimum number of new bases.
        max_bases: number of new bases after which the sequence ends, at the end of a token; None: no limit.
        ignore_end: never sample the end token.
        slide: if the context is full, continue after dropping the older half.

    Raises:
        InputError: if a value is out of range, or a minimum exceeds its maximum.
    """

    min_tokens: int = 1
    max_tokens: int | None = None
    min_bases: int = 0
    max_bases: int | None = None
    ignore_end: bool = False
    slide: bool = False

    def __post_init__(self) -> None:
        for name, low in (("min_tokens", 1), ("max_tokens", 1), ("min_bases", 0), ("max_bases", 1)):
            value = getattr(self, name)
            if value is not None and value < low:
                raise InputError(f"{name} must be at least {low}", value=value)
        for unit in ("tokens", "bases"):
            minimum, maximum = getattr(self, f"min_{unit}"), getattr(self, f"max_{unit}")
            if maximum is not None and minimum > maximum:
                raise InputError(f"the minimum of {minimum:,} new {unit} exceeds the maximum of {maximum:,}")


class Drawn(NamedTuple):
    """Continuation of one prompt.

    Attributes:
        ids_T: new tokens, without the end token.
        log_probs_T: log-probability of each in nats under the model, over the complete vocabulary, before exclusions
            and the settings of the sampler; float64.
        reason: why the sequence ended.
    """

    ids_T: NDArray[np.int64]
    log_probs_T: NDArray[np.float64]
    reason: Reason


def continue_tokens(
    model: Model,
    prompts: Sequence[NDArray[np.integer[Any]]],
    limits: Limits | Sequence[Limits],
    sampler: Sampler,
    streams: Sequence[np.random.Generator],
    *,
    chunk: int | None = None,
    pack: bool = True,
) -> list[Drawn]:
    """Return a continuation of each prompt.

    Only tokens of A, C, G and T and the end token are sampled. Prompts are padded on the left; masks and positions
    ensure that a sequence does not depend on the other sequences of the batch.

    Args:
        model: a decoder.
        prompts: token ids with begin tokens, at least one per prompt; see :func:`prompt_ids`.
        limits: limits of all sequences, or of each.
        sampler: sampling settings.
        streams: random number generator of each prompt; one number is used per token.
        chunk: maximum prompt tokens per pass; None: the default.
        pack: allow a copy of the weights for speed.

    Raises:
        ModelError: if a prompt fills the context without ``limits.slide``, or no token of the vocabulary consists of
            A, C, G and T.
        NonFiniteError: if a log-probability is NaN or infinite; its row is the number of the prompt.
    """
    each = [limits] * len(prompts) if isinstance(limits, Limits) else limits
    rows = [
        _Row(number, np.asarray(ids, np.int64), bounds, stream)
        for number, (ids, bounds, stream) in enumerate(zip(prompts, each, streams, strict=True))
    ]
    longest = max((len(row.prompt) for row in rows if not row.limits.slide), default=0)
    if longest >= model.context:
        raise ModelError(
            f"a prompt of {longest:,} tokens fills the model's context of {model.context:,} tokens",
            code="context-exceeded",
        )
    check_vocabulary(model)
    active = rows
    while active:
        _Round(model, active, sampler, chunk or CHUNK_TOKENS).run(pack)
        active = [row for row in active if row.reason == "context" and row.limits.slide]
    return [row.drawn() for row in rows]


def check_vocabulary(model: Model) -> None:
    """Check that the vocabulary can write DNA.

    Raises:
        ModelError: if no token of the vocabulary consists of A, C, G and T.
    """
    if not model.tokenizer.plain_ids.any():
        raise ModelError(
            f"{model.card.name} cannot generate DNA: no token of its vocabulary consists of A, C, G and T",
            code="unsupported-by-model",
        )


def prompt_ids(model: Model, prompt: str) -> NDArray[np.int64]:
    """Return the ids of a prompt after the model's begin tokens, without end tokens.

    An empty prompt consists of the begin tokens, or for a model without them of the end-of-document token, after which
    a new document begins, as in training.
    """
    begin = np.array(model.begin_ids, np.int64)
    if not prompt:
        return begin if len(begin) else np.array([model.tokenizer.eod_id], np.int64)
    return np.concatenate([begin, model.tokenizer.encode(prompt).astype(np.int64)])


@dataclass(slots=True)
class _Row:
    """State of one sequence."""

    number: int
    prompt: NDArray[np.int64]
    limits: Limits
    stream: np.random.Generator
    ids: list[int] = field(default_factory=list)
    log_probs: list[float] = field(default_factory=list)
    bases: int = 0
    reason: Reason = "context"

    def read(self, begin: int, context: int) -> NDArray[np.int64]:
        """Return the input ids: all tokens, or the begin tokens and the later half of a full context."""
        ids = np.concatenate([self.prompt, np.array(self.ids, np.int64)])
        if len(ids) < context:
            return ids
        kept = max(1, context // 2 - begin)
        return np.concatenate([ids[:begin], ids[-kept:]])

    def drawn(self) -> Drawn:
        return Drawn(np.array(self.ids, np.int64), np.array(self.log_probs, np.float64), self.reason)


Counts = NDArray[np.int64]

_NEVER = 2**62


class _Bounds(NamedTuple):
    """Limits of the sequences of a batch."""

    least_tokens_A: Counts
    most_tokens_A: Counts
    least_bases_A: Counts
    most_bases_A: Counts

    @classmethod
    def of(cls, limits: Sequence[Limits]) -> _Bounds:
        """Return the limits as arrays; missing maxima, and minima with ``ignore_end``, are never reached."""
        rows = [
            (
                _NEVER if row.ignore_end else row.min_tokens,
                row.max_tokens or _NEVER,
                row.min_bases,
                row.max_bases or _NEVER,
            )
            for row in limits
        ]
        return cls(*np.array(rows, np.int64).T)


class _Round:
    """Generation of a batch from one pass over its prompts until each sequence ends or fills the context."""

    def __init__(self, model: Model, rows: list[_Row], sampler: Sampler, chunk: int) -> None:
        self.model, self.rows, self.sampler, self.chunk = model, rows, sampler, chunk
        self.prompts = [row.read(len(model.begin_ids), model.context) for row in rows]
        self.end = model.tokenizer.eod_id
        self.lengths_V = model.tokenizer.lengths
        self.barred = _barred(model)
        self.remaining_A = np.array([model.context - len(ids) for ids in self.prompts])
        self.tokens_A = np.array([len(row.ids) for row in rows])
        self.bases_A = np.array([row.bases for row in rows])
        self.bounds = _Bounds.of([row.limits for row in rows])
        self.written_AV = self._written()
        self.drawn: list[tuple[Counts, NDArray[np.float32]]] = []

    def run(self, pack: bool) -> None:
        """Extend the rows, and set why each ended."""
        logits_AV, steps = self._read(pack)
        while True:
            chosen_A, log_probs_A = self._choose(logits_AV)
            active_A = self._record(chosen_A.numpy(), log_probs_A.numpy())
            if not active_A.all():
                if not active_A.any():
                    return
                kept = torch.from_numpy(active_A.nonzero()[0])
                self._keep(kept, steps)
                chosen_A = chosen_A[kept]
            logits_AV = steps.next(chosen_A.to(self.model.device)).cpu()

    def _read(self, pack: bool) -> tuple[Tensor, Steps]:
        """Return the logits (A, V) of the first new token, and the stepper for the next ones."""
        rows = [ids.astype(np.int32) for ids in self.prompts]
        batch = collate(rows, self.model.tokenizer, side="left", device=self.model.device)
        mask = None if bool(batch.mask_BL.all()) else batch.mask_BL
        logits_AV, steps = begin_steps(
            self.model.decoder, batch.ids_BL, mask, self._steps_to_come(), chunk=self.chunk, pack=pack
        )
        return logits_AV.cpu(), steps

    def _steps_to_come(self) -> int:
        by_bases = 1 + (self.bounds.most_bases_A / self.model.tokenizer.bases_per_token).astype(np.int64)
        most_A = np.minimum(np.minimum(self.remaining_A, self.bounds.most_tokens_A), by_bases)
        return max(1, int(most_A.max()))

    def _choose(self, logits_AV: Tensor) -> tuple[Tensor, Tensor]:
        """Return a token for each sequence and its log-probability under the model; overwrites the logits."""
        log_probs_AV = logits_AV.log_softmax(1)
        # A logit that is NaN or infinite makes all log-probabilities of its row NaN.
        index = first_not_finite(log_probs_AV.amax(1))
        if index is not None:
            raise not_finite(self.model, self.rows[index].number)
        scores_AV = logits_AV.index_fill_(1, self.barred, float("-inf"))
        early_A = (self.tokens_A < self.bounds.least_tokens_A) | (self.bases_A < self.bounds.least_bases_A)
        scores_AV[:, self.end].masked_fill_(torch.from_numpy(early_A), float("-inf"))
        uniform_A = torch.zeros(len(self.rows), dtype=torch.float64)
        if self.sampler.temperature:
            uniform_A = torch.tensor([row.stream.random() for row in self.rows], dtype=torch.float64)
        chosen_A = self.sampler.choose(scores_AV, self.written_AV, uniform_A)
        return chosen_A, log_probs_AV.gather(1, chosen_A[:, None])[:, 0]

    def _record(self, chosen_A: Counts, log_probs_A: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Count the tokens; return a mask of the sequences that continue."""
        ended_A = chosen_A == self.end
        self.drawn.append((chosen_A, log_probs_A))
        self.tokens_A += ~ended_A
        self.bases_A += self.lengths_V[chosen_A]
        self.remaining_A -= 1
        if self.sampler.repetition_penalty != 1:
            self.written_AV[np.arange(len(chosen_A)), chosen_A] = True
        full_A = (self.tokens_A >= self.bounds.most_tokens_A) | (self.bases_A >= self.bounds.most_bases_A)
        active_A = ~(ended_A | full_A) & (self.remaining_A > 0)
        if not active_A.all():
            self._write(ended_A.tolist(), full_A.tolist())
        return active_A

    def _write(self, ended: list[bool], full: list[bool]) -> None:
        """Append the sampled tokens, without end tokens, to the rows, and set why each ended.

        The reason of a row that continues is overwritten when it ends.
        """
        ids, log_probs = (np.stack(values, 1).tolist() for values in zip(*self.drawn))
        self.drawn.clear()
        for index, (row, bases) in enumerate(zip(self.rows, self.bases_A.tolist())):
            kept = slice(-1) if ended[index] else slice(None)
            row.ids += ids[index][kept]
            row.log_probs += log_probs[index][kept]
            row.bases = bases
            row.reason = "stop" if ended[index] else "length" if full[index] else "context"

    def _keep(self, kept: Tensor, steps: Steps) -> None:
        """Continue with these sequences only."""
        self.rows = [self.rows[number] for number in kept.tolist()]
        indices = kept.numpy()
        self.remaining_A, self.tokens_A, self.bases_A = (
            self.remaining_A[indices],
            self.tokens_A[indices],
            self.bases_A[indices],
        )
        self.bounds = _Bounds(*(values[indices] for values in self.bounds))
        if self.sampler.repetition_penalty != 1:
            self.written_AV = self.written_AV[kept]
        steps.keep(kept.to(self.model.device))

    def _written(self) -> Tensor:
        """Return a mask of the tokens of prompt and continuation, for the repetition penalty."""
        written_AV = torch.zeros(len(self.rows), self.model.config.vocab_size, dtype=torch.bool)
        if self.sampler.repetition_penalty != 1:
            for number, row in enumerate(self.rows):
                written_AV[number, row.prompt] = True
                written_AV[number, row.ids] = True
        return written_AV


def _barred(model: Model) -> Tensor:
    """Return the excluded ids: special tokens other than the end token, tokens with N, and unused rows."""
    plain = torch.zeros(model.config.vocab_size, dtype=torch.bool)
    plain[: model.tokenizer.vocab_size] = torch.from_numpy(model.tokenizer.plain_ids)
    plain[model.tokenizer.eod_id] = True
    return (~plain).nonzero()[:, 0]
