"""Generation token by token: the task of models with multi-base tokens."""

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
from genolm.tasks.reading.sampling import Sampler, stream
from genolm.tasks.reading.sources import Source
from genolm.tasks.reading.token_continuation import Drawn, Limits, continue_tokens, prompt_ids
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
_HEADER_COLUMNS = tuple(SCHEMA)[5:]


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
    reason: str
    tokens: int
    log_probability: float
    token_bases: int


@dataclass(frozen=True, slots=True)
class GenerateTokensTask:
    """Generation by tokens as run by the engine; created by :func:`genolm.generate`.

    Attributes:
        source: the prompts.
        n: sequences per prompt.
        limits: when a sequence ends.
        whole_tokens: whether to keep bases of the last token beyond the maximum.
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
    whole_tokens: bool
    sampler: Sampler
    seed: int
    planned: int
    bases_per_token: float
    provenance: Provenance
    preset: str = ""
    backend: str = ""
    name: ClassVar[str] = "generate"
    unit: ClassVar[str] = "sequences"

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
        return 1 + math.ceil(len(item.prompt) / self.bases_per_token) + self.planned

    def windows(self, items: Sequence[Request], model: Model) -> list[Window]:
        """Return one window per request: its prompt."""
        return [Window(item.prompt, item, tokens=self.cost(item)) for item in items]

    def forward(self, model: Model, windows: Sequence[Window]) -> list[Written]:
        """Return the continuations of a batch."""
        prompts = [prompt_ids(model, window.sequence) for window in windows]
        streams = [stream(self.seed, window.origin.number, window.origin.sample) for window in windows]
        sampled = continue_tokens(model, prompts, self.limits, self.sampler, streams)
        return [self.written(model, one) for one in sampled]

    def written(self, model: Model, sampled: Drawn) -> Written:
        """Decode a continuation; cut it to the maximum length unless complete tokens are kept."""
        text = model.tokenizer.decode(sampled.ids_T.astype("int32"))
        bases = text if self.whole_tokens else text[: self.limits.max_bases]
        return Written(bases, sampled.reason, len(sampled.ids_T), float(sampled.log_probs_T.sum()), len(text))

    def subject(self, items: Sequence[Request], window: Window, part: int) -> str:
        """Return a description of the window's sequence for messages."""
        return window.origin.named

    def rows(self, items: Sequence[Request], windows: Sequence[Window], outputs: Sequence[Written]) -> pl.DataFrame:
        """Return one row per request."""
        rows = [
            (
                f"{item.prompt_id}_{item.sample}",
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
        return pl.DataFrame(rows, schema=SCHEMA, orient="row")

    def assemble(self, frames: Iterator[pl.DataFrame], out: Path) -> None:
        """Write the FASTA file: prompt and continuation, with all settings in the header."""
        settings = self.metadata()
        with atomic_file(out) as partial, partial.open("w", encoding="utf-8", newline="\n") as file:
            for frame in frames:
                for row in frame.iter_rows(named=True):
                    statistics = {name: _number(row[name]) for name in _HEADER_COLUMNS}
                    write_record(file, row["id"], row["prompt"], row["generated"], {**statistics, **settings})

    def collect(self, frames: Iterator[pl.DataFrame]) -> pl.DataFrame:
        """Return the table."""
        return pl.concat(list(frames))

    def count(self, rows: pl.DataFrame) -> Summary:
        """Return the numbers of sequences, by reason of their end, and of new bases."""
        return finished(rows, rows["finish_reason"].to_list())

    def metadata(self) -> dict[str, str]:
        """Return the provenance of the sequences."""
        sampler = {name: getattr(self.sampler, name) for name in self.sampler.__slots__}
        limits = {name: getattr(self.limits, name) for name in self.limits.__slots__}
        settings: dict[str, Any] = {"n": self.n, **limits, "whole_tokens": self.whole_tokens, **sampler}
        settings |= {name: text for name in ("preset", "backend") if (text := getattr(self, name))}
        return self.provenance.entries(**settings, seed=self.seed)


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
            raise ModelError(
                f"prompt {name} ({tokens:,} tokens) and {needed:,} new tokens exceed the context of {model.card.name}"
                f" ({model.context:,} tokens): shorten the request or enable slide, which drops the older half of the"
                " context",
                code="context-exceeded",
            )
