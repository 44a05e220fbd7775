"""Generation as run by the engine: continuations of prompts into a FASTA file or a table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import polars as pl

from genolm.engine.summary import Summary
from genolm.engine.windows import Window
from genolm.errors import ModelError
from genolm.files.atomic import atomic_file
from genolm.tasks.generation.generation_requests import Request, finished, prompts_of, write_record
from genolm.tasks.reading.continuation.choices import Bases, Choices, Vocabulary
from genolm.tasks.reading.continuation.continue_prompts import continue_prompts
from genolm.tasks.reading.continuation.limits import Limits, Reason
from genolm.tasks.reading.continuation.prompts import Prompt, prompt_ids
from genolm.tasks.reading.continuation.sampling import Sampler, random_stream
from genolm.tasks.reading.continuation.steps import Continuation, StepStream, collect
from genolm.tasks.reading.sources import Source
from genolm.tasks.writing.provenance import Provenance

if TYPE_CHECKING:
    from genolm.models.model import Model

SCHEMA = {
    "id": pl.String,
    "prompt_id": pl.String,
    "sample": pl.Int64,
    "prompt": pl.String,
    "generated": pl.String,
    "finish_reason": pl.String,
    "tokens": pl.Int64,
    "total_log_probability_nats": pl.Float64,
    "mean_log_probability_nats_per_token": pl.Float64,
    "mean_log_probability_nats_per_base": pl.Float64,
}
_REQUEST_COLUMNS = tuple(SCHEMA)[:5]
_STATISTICS = tuple(SCHEMA)[5:]
_STATISTICS_OF_BASES = _STATISTICS[-1:]  # with one token per base, the others say nothing new


@dataclass(frozen=True, slots=True)
class Written:
    """Result of one request.

    Attributes:
        bases: new bases.
        reason: ``stop``, ``length`` or ``context``.
        tokens: number of new tokens, without the end token.
        log_probability: sum of their log-probabilities, nats.
        token_bases: bases of the new tokens, before the last one was cut.
    """

    bases: str
    reason: Reason
    tokens: int
    log_probability: float
    token_bases: int


@dataclass(frozen=True, slots=True)
class GenerateTask:
    """Generation as run by the engine; created by :func:`genolm.generate`.

    Attributes:
        source: the prompts.
        n: sequences per prompt.
        limits: when a sequence ends.
        sampler: sampling rule.
        seed: random seed.
        planned: approximate number of new tokens per sequence.
        bases_per_token: mean bases per token of the model.
        provenance: provenance of the model.
        preset: name of the requested preset; empty for none.
        backend: name of the backend, if it is not genolm itself.
    """

    source: Source
    n: int
    limits: Limits
    sampler: Sampler
    seed: int
    planned: int
    bases_per_token: float
    provenance: Provenance
    preset: str = ""
    backend: str = ""
    name: ClassVar[str] = "generate"
    unit: ClassVar[str] = "sequences"

    @property
    def by_bases(self) -> bool:
        """Whether the model has one token per base: it then chooses from the four bases."""
        return self.bases_per_token == 1

    def items(self) -> Iterator[Request]:
        """Yield the requests: all samples of a prompt, then those of the next."""
        for number, (name, prompt) in enumerate(prompts_of(self.source)):
            for sample in range(1, self.n + 1):
                yield Request(name, prompt, number, sample)

    def inputs(self) -> tuple[Path, ...]:
        """Return the input files."""
        return self.source.files()

    def cost(self, item: Request) -> int:
        """Return the approximate number of tokens that are read or generated."""
        begin = 0 if self.by_bases else 1
        return begin + math.ceil(len(item.prompt) / self.bases_per_token) + self.planned

    def windows(self, items: Sequence[Request], model: Model) -> list[Window[Request]]:
        """Return one window per request: its prompt, of at least one token."""
        return [Window(item.prompt, item, tokens=max(self.cost(item), 1 + self.planned)) for item in items]

    def forward(self, model: Model, windows: Sequence[Window[Request]]) -> list[Written]:
        """Return the continuations of a batch."""
        return [self.written(model, one) for one in collect(self.steps(model, windows), len(windows))]

    def steps(self, model: Model, windows: Sequence[Window[Request]]) -> StepStream:
        """Yield the steps of a batch."""
        choices: Choices = Bases(model) if self.by_bases else Vocabulary(model)
        return continue_prompts(model, self.prompts(model, windows), self.sampler, choices=choices)

    def prompts(self, model: Model, windows: Sequence[Window[Request]]) -> list[Prompt]:
        """Return the prompts of a batch, with the random numbers of each request."""
        return [
            Prompt(
                prompt_ids(model, window.sequence),
                self.limits,
                random_stream(self.seed, window.origin.number, window.origin.sample),
            )
            for window in windows
        ]

    def written(self, model: Model, continuation: Continuation) -> Written:
        """Decode a continuation; cut it to the maximum length unless complete tokens are kept."""
        text, log_probs_T = model.tokenizer.decode(continuation.ids_T.astype("int32")), continuation.log_probs_T
        # Bases are added one after the other, tokens in pairs: the last digits of either sum are part of its output.
        total = float(log_probs_T.cumsum()[-1] if self.by_bases else log_probs_T.sum())
        return Written(self.limits.cut(text), continuation.reason, len(continuation.ids_T), total, len(text))

    def subject(self, items: Sequence[Request], window: Window[Request], part: int) -> str:
        """Return a description of the window's sequence for messages."""
        return window.origin.named

    def rows(
        self, items: Sequence[Request], windows: Sequence[Window[Request]], outputs: Sequence[Written]
    ) -> pl.DataFrame:
        """Return one row per request."""
        rows = [
            (
                item.id,
                item.prompt_id,
                item.sample,
                item.prompt,
                new.bases,
                new.reason,
                new.tokens,
                new.log_probability,
                new.log_probability / new.tokens,
                new.log_probability / new.token_bases,
            )
            for item, new in zip(items, outputs)
        ]
        return pl.DataFrame(rows, schema=SCHEMA, orient="row").select(*_REQUEST_COLUMNS, *self._statistics)

    def assemble(self, frames: Iterator[pl.DataFrame], out: Path) -> None:
        """Write the FASTA file: prompt and continuation, with all settings in the header."""
        settings = self.metadata()
        with atomic_file(out) as partial, partial.open("w", encoding="utf-8", newline="\n") as file:
            for frame in frames:
                for row in frame.iter_rows(named=True):
                    statistics = {name: _number(row[name]) for name in self._statistics}
                    words = {**settings, **statistics} if self.by_bases else {**statistics, **settings}
                    write_record(file, row["id"], row["prompt"], row["generated"], words)

    def collect(self, frames: Iterator[pl.DataFrame]) -> pl.DataFrame:
        """Return the table."""
        return pl.concat(list(frames))

    def count(self, rows: pl.DataFrame) -> Summary:
        """Return the numbers of sequences, by reason of their end, and of new bases."""
        return finished(rows, ["length"] * rows.height if self.by_bases else rows["finish_reason"].to_list())

    def metadata(self) -> dict[str, str]:
        """Return the provenance of the sequences."""
        return self.provenance.entries(n=self.n, **self._settings(), seed=self.seed)

    @property
    def _statistics(self) -> tuple[str, ...]:
        return _STATISTICS_OF_BASES if self.by_bases else _STATISTICS

    def _settings(self) -> dict[str, Any]:
        """Return the settings of limits and sampler, without those that a model with one token per base lacks."""
        sampler = {name: getattr(self.sampler, name) for name in self.sampler.__slots__}
        if self.by_bases:
            rules = {name: sampler[name] for name in ("temperature", "top_k", "top_p", "repetition_penalty")}
            return {"length": self.limits.max_bases, **rules}
        limits = {name: getattr(self.limits, name) for name in self.limits.__slots__}
        names = {name: text for name in ("preset", "backend") if (text := getattr(self, name))}
        return {**limits, **sampler, **names}


def _number(value: float | int | str) -> str:
    return f"{value:.6f}" if isinstance(value, float) else str(value)


def check_prompts(source: Source, model: Model, limits: Limits, needed: int) -> None:
    """Check all prompts before generation.

    Args:
        source: the prompts.
        model: the model.
        limits: when a sequence ends.
        needed: requested new tokens.

    Raises:
        InputError: a prompt has a letter that the model does not support.
        ModelError: prompt and continuation exceed the context, and ``limits.slide`` is not set.
    """
    for name, prompt in prompts_of(source):
        tokens = len(prompt_ids(model, prompt))
        if not limits.slide and tokens + needed > model.context:
            raise _too_long(model, name, prompt, tokens, needed)


def _too_long(model: Model, name: str, prompt: str, tokens: int, needed: int) -> ModelError:
    by_bases = model.tokenizer.bases_per_token == 1
    held, unit = (len(prompt), "bases") if by_bases else (tokens, "tokens")
    advice = ": shorten the request or enable slide, which drops the older half of the context"
    return ModelError(
        f"prompt {name} ({held:,} {unit}) and {needed:,} new {unit} exceed the context of {model.card.name}"
        f" ({model.context:,} {unit}){'' if by_bases else advice}",
        code="context-exceeded",
    )
