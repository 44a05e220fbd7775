"""Continuing a batch of prompts token by token, for models whose tokens stand for several bases.

Shapes: B sequences, A of them still growing, V vocabulary, T new tokens.
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
"""Why a sequence ended: the model drew its end token, a maximum was reached, or the context was full."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a sequence ends; the end token cannot be drawn before both minima are reached.

    Attributes:
        min_tokens: new tokens at least, one or more.
        max_tokens: new tokens at most; None for no such bound.
        min_bases: new bases at least.
        max_bases: ends with the token that reaches this many new bases; None for no such bound.
        ignore_end: the end token is never drawn.
        slide: when the context is full, go on after forgetting the older half of what was read.

    Raises:
        InputError: a number out of its range, or a minimum above its maximum.
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
                raise InputError(f"{name} is at least {low}", value=value)
        for unit in ("tokens", "bases"):
            least, most = getattr(self, f"min_{unit}"), getattr(self, f"max_{unit}")
            if most is not None and least > most:
                raise InputError(f"at least {least:,} new {unit} are more than at most {most:,}")


class Drawn(NamedTuple):
    """One continuation.

    Attributes:
        ids_T: the new tokens, without the end token.
        log_probs_T: log-probability of each in nats, under the model itself, over its whole vocabulary, before bans
            and the sampler's rules; float64.
        reason: why it ended.
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
    """New tokens for every prompt.

    Only tokens made of A, C, G and T are drawn, and the token that ends a document. Prompts are padded on the left;
    masks and positions hide that, so that a sequence does not depend on its neighbours.

    Args:
        model: a causal model.
        prompts: ids as the model reads them, begin tokens included, at least one; see :func:`prompt_ids`.
        limits: when a sequence ends, of all or of each.
        sampler: how a token is drawn.
        streams: of random numbers, one for each prompt; one number is taken for each token.
        chunk: most prompt tokens of one pass; None for the default.
        pack: whether a copy of the weights may be made for speed.

    Raises:
        ModelError: a prompt that fills the context, without ``limits.slide``; a vocabulary without a token that may
            be drawn.
        NonFiniteError: a log-probability is NaN or infinite; the row is the number of the prompt.
    """
    each = [limits] * len(prompts) if isinstance(limits, Limits) else limits
    rows = [
        _Row(number, np.asarray(ids, np.int64), own, stream)
        for number, (ids, own, stream) in enumerate(zip(prompts, each, streams, strict=True))
    ]
    longest = max((len(row.prompt) for row in rows if not row.limits.slide), default=0)
    if longest >= model.context:
        raise ModelError(f"a prompt of {longest:,} tokens leaves no room in the {model.context:,} that the model reads")
    check_vocabulary(model)
    growing = rows
    while growing:
        _Round(model, growing, sampler, chunk or CHUNK_TOKENS).run(pack)
        growing = [row for row in growing if row.reason == "context" and row.limits.slide]
    return [row.drawn() for row in rows]


def check_vocabulary(model: Model) -> None:
    """Raise unless there is a token to draw.

    Raises:
        ModelError: no token of the vocabulary is made of A, C, G and T alone.
    """
    if not model.tokenizer.plain_ids.any():
        raise ModelError(
            f"{model.card.name} cannot generate DNA: no token of its vocabulary is made of A, C, G and T alone"
        )


def prompt_ids(model: Model, prompt: str) -> NDArray[np.int64]:
    """A prompt's ids behind the model's begin tokens, never with an end token behind them.

    An empty prompt is the begin tokens alone. For a model that has none it is the token that ends a document: what
    follows it is a new one, as in training.
    """
    begin = np.array(model.begin_ids, np.int64)
    if not prompt:
        return begin if len(begin) else np.array([model.tokenizer.eod_id], np.int64)
    return np.concatenate([begin, model.tokenizer.encode(prompt).astype(np.int64)])


@dataclass(slots=True)
class _Row:
    """A sequence while it grows."""

    number: int
    prompt: NDArray[np.int64]
    limits: Limits
    stream: np.random.Generator
    ids: list[int] = field(default_factory=list)
    log_probs: list[float] = field(default_factory=list)
    bases: int = 0
    reason: Reason = "context"

    def read(self, begin: int, context: int) -> NDArray[np.int64]:
        """What the model reads next: all so far, or the begin tokens and the later half of a full context."""
        so_far = np.concatenate([self.prompt, np.array(self.ids, np.int64)])
        if len(so_far) < context:
            return so_far
        kept = max(1, context // 2 - begin)
        return np.concatenate([so_far[:begin], so_far[-kept:]])

    def drawn(self) -> Drawn:
        return Drawn(np.array(self.ids, np.int64), np.array(self.log_probs, np.float64), self.reason)


Counts = NDArray[np.int64]

_NEVER = 2**62


class _Bounds(NamedTuple):
    """Limits of sequences side by side."""

    least_tokens_A: Counts
    most_tokens_A: Counts
    least_bases_A: Counts
    most_bases_A: Counts

    @classmethod
    def of(cls, limits: Sequence[Limits]) -> _Bounds:
        """A maximum that nobody set, and the minimum where the end is ignored, are never reached."""
        rows = [
            (
                _NEVER if one.ignore_end else one.min_tokens,
                one.max_tokens or _NEVER,
                one.min_bases,
                one.max_bases or _NEVER,
            )
            for one in limits
        ]
        return cls(*np.array(rows, np.int64).T)


class _Round:
    """Sequences side by side from one reading of their prompts until each ends or fills the context."""

    def __init__(self, model: Model, rows: list[_Row], sampler: Sampler, chunk: int) -> None:
        self.model, self.rows, self.sampler, self.chunk = model, rows, sampler, chunk
        self.prompts = [row.read(len(model.begin_ids), model.context) for row in rows]
        self.end = model.tokenizer.eod_id
        self.lengths_V = model.tokenizer.lengths
        self.barred = _barred(model)
        self.room_A = np.array([model.context - len(ids) for ids in self.prompts])
        self.tokens_A = np.array([len(row.ids) for row in rows])
        self.bases_A = np.array([row.bases for row in rows])
        self.bounds = _Bounds.of([row.limits for row in rows])
        self.written_AV = self._written()
        self.drawn: list[tuple[Counts, NDArray[np.float32]]] = []

    def run(self, pack: bool) -> None:
        """Extends the rows and says why each ended."""
        logits_AV, steps = self._read(pack)
        while True:
            chosen_A, log_probs_A = self._choose(logits_AV)
            alive_A = self._note(chosen_A.numpy(), log_probs_A.numpy())
            if not alive_A.all():
                if not alive_A.any():
                    return
                kept = torch.from_numpy(alive_A.nonzero()[0])
                self._keep(kept, steps)
                chosen_A = chosen_A[kept]
            logits_AV = steps.next(chosen_A.to(self.model.device)).cpu()

    def _read(self, pack: bool) -> tuple[Tensor, Steps]:
        """Logits (A, V) of the first new token, and how to go on."""
        rows = [ids.astype(np.int32) for ids in self.prompts]
        batch = collate(rows, self.model.tokenizer, side="left", device=self.model.device)
        mask = None if bool(batch.mask_BL.all()) else batch.mask_BL
        logits_AV, steps = begin_steps(
            self.model.decoder, batch.ids_BL, mask, self._steps_to_come(), chunk=self.chunk, pack=pack
        )
        return logits_AV.cpu(), steps

    def _steps_to_come(self) -> int:
        by_bases = 1 + (self.bounds.most_bases_A / self.model.tokenizer.bases_per_token).astype(np.int64)
        most_A = np.minimum(np.minimum(self.room_A, self.bounds.most_tokens_A), by_bases)
        return max(1, int(most_A.max()))

    def _choose(self, logits_AV: Tensor) -> tuple[Tensor, Tensor]:
        """A token for each sequence, and its log-probability under the model itself; the logits are used up."""
        log_probs_AV = logits_AV.log_softmax(1)
        # One logit that is NaN or infinity makes all log-probabilities of its row NaN.
        place = first_not_finite(log_probs_AV.amax(1))
        if place is not None:
            raise not_finite(self.model, self.rows[place].number)
        scores_AV = logits_AV.index_fill_(1, self.barred, float("-inf"))
        early_A = (self.tokens_A < self.bounds.least_tokens_A) | (self.bases_A < self.bounds.least_bases_A)
        scores_AV[:, self.end].masked_fill_(torch.from_numpy(early_A), float("-inf"))
        uniform_A = torch.zeros(len(self.rows), dtype=torch.float64)
        if self.sampler.temperature:
            uniform_A = torch.tensor([row.stream.random() for row in self.rows], dtype=torch.float64)
        chosen_A = self.sampler.choose(scores_AV, self.written_AV, uniform_A)
        return chosen_A, log_probs_AV.gather(1, chosen_A[:, None])[:, 0]

    def _note(self, chosen_A: Counts, log_probs_A: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Counts the tokens; True for sequences that go on."""
        ended_A = chosen_A == self.end
        self.drawn.append((chosen_A, log_probs_A))
        self.tokens_A += ~ended_A
        self.bases_A += self.lengths_V[chosen_A]
        self.room_A -= 1
        if self.sampler.repetition_penalty != 1:
            self.written_AV[np.arange(len(chosen_A)), chosen_A] = True
        full_A = (self.tokens_A >= self.bounds.most_tokens_A) | (self.bases_A >= self.bounds.most_bases_A)
        alive_A = ~(ended_A | full_A) & (self.room_A > 0)
        if not alive_A.all():
            self._write(ended_A.tolist(), full_A.tolist())
        return alive_A

    def _write(self, ended: list[bool], full: list[bool]) -> None:
        """Gives every sequence what was drawn for it since the last time, without an end token, and says why it ended.

        What is said of one that goes on is said anew when it ends.
        """
        ids, log_probs = (np.stack(values, 1).tolist() for values in zip(*self.drawn))
        self.drawn.clear()
        for place, (row, bases) in enumerate(zip(self.rows, self.bases_A.tolist())):
            own = slice(-1) if ended[place] else slice(None)
            row.ids += ids[place][own]
            row.log_probs += log_probs[place][own]
            row.bases = bases
            row.reason = "stop" if ended[place] else "length" if full[place] else "context"

    def _keep(self, kept: Tensor, steps: Steps) -> None:
        """Goes on with these sequences only."""
        self.rows = [self.rows[number] for number in kept.tolist()]
        places = kept.numpy()
        self.room_A, self.tokens_A, self.bases_A = self.room_A[places], self.tokens_A[places], self.bases_A[places]
        self.bounds = _Bounds(*(values[places] for values in self.bounds))
        if self.sampler.repetition_penalty != 1:
            self.written_AV = self.written_AV[kept]
        steps.keep(kept.to(self.model.device))

    def _written(self) -> Tensor:
        """What a repetition penalty concerns: the tokens of prompt and continuation."""
        written_AV = torch.zeros(len(self.rows), self.model.config.vocab_size, dtype=torch.bool)
        if self.sampler.repetition_penalty != 1:
            for number, row in enumerate(self.rows):
                written_AV[number, row.prompt] = True
                written_AV[number, row.ids] = True
        return written_AV


def _barred(model: Model) -> Tensor:
    """Ids that are never drawn: special tokens but the end, N and what holds it, rows without a token."""
    plain = torch.zeros(model.config.vocab_size, dtype=torch.bool)
    plain[: model.tokenizer.vocab_size] = torch.from_numpy(model.tokenizer.plain_ids)
    plain[model.tokenizer.eod_id] = True
    return (~plain).nonzero()[:, 0]
