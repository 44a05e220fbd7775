"""Generation base by base: the task of models with one token per base."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import polars as pl

from genolm.engine.summary import Summary
from genolm.engine.windows import Window
from genolm.errors import ModelError
from genolm.files.atomic import atomic_file
from genolm.tasks.generation.base_continuation import continue_prompts
from genolm.tasks.generation.generation_requests import Request, finished, prompts_of, write_record
from genolm.tasks.reading.sampling import Sampler, uniforms
from genolm.tasks.reading.sources import Source
from genolm.tasks.writing.provenance import Provenance

if TYPE_CHECKING:
    from genolm.models.model import Model

_SCHEMA = {
    "id": pl.String,
    "prompt_id": pl.String,
    "sample": pl.Int64,
    "prompt": pl.String,
    "generated": pl.String,
    "mean_log_probability_nats_per_base": pl.Float64,
}


@dataclass(frozen=True, slots=True)
class Continued:
    """Bases generated for one request, and their mean log-probability in nats per base."""

    bases: str
    mean_log_probability: float


@dataclass(frozen=True, slots=True)
class GenerateTask:
    """Generation as run by the engine; created by :func:`genolm.generate`.

    Attributes:
        source: the prompts.
        n: sequences per prompt.
        length: new bases per sequence.
        sampler: sampling rule.
        seed: random seed.
        context: maximum number of bases of prompt and continuation.
        provenance: provenance of the model.
    """

    source: Source
    n: int
    length: int
    sampler: Sampler
    seed: int
    context: int
    provenance: Provenance
    name: ClassVar[str] = "generate"
    unit: ClassVar[str] = "sequences"

    def items(self) -> Iterator[Request]:
        """Yield the requests: all samples of a prompt, then those of the next.

        Raises:
            ModelError: prompt and continuation exceed the context.
        """
        for number, (name, prompt) in enumerate(prompts_of(self.source)):
            if max(1, len(prompt)) + self.length > self.context:
                raise ModelError(
                    f"prompt {name} ({len(prompt):,} bases) and {self.length:,} new bases exceed the context of"
                    f" {self.provenance.model} ({self.context:,} bases)",
                    code="context-exceeded",
                )
            for sample in range(1, self.n + 1):
                yield Request(name, prompt, number, sample)

    def inputs(self) -> tuple[Path, ...]:
        """Return the input files."""
        return self.source.files()

    def cost(self, item: Request) -> int:
        """Return the number of tokens that are read or generated."""
        return len(item.prompt) + self.length

    def windows(self, items: Sequence[Request], model: Model) -> list[Window]:
        """Return one window per request: its prompt."""
        return [Window(item.prompt, item, tokens=max(1, len(item.prompt)) + self.length) for item in items]

    def forward(self, model: Model, windows: Sequence[Window]) -> list[Continued]:
        """Return the continuations of a batch."""
        draws = np.stack(
            [uniforms(self.seed, window.origin.number, window.origin.sample, self.length) for window in windows]
        )
        prompts = [window.sequence for window in windows]
        bases_BT, means_B = continue_prompts(model, prompts, self.length, self.sampler, draws)
        texts = [_LETTERS[row].tobytes().decode() for row in bases_BT]
        return [Continued(text, float(mean)) for text, mean in zip(texts, means_B)]

    def subject(self, items: Sequence[Request], window: Window, part: int) -> str:
        """Return a description of the window's sequence for messages."""
        return window.origin.named

    def rows(self, items: Sequence[Request], windows: Sequence[Window], outputs: Sequence[Continued]) -> pl.DataFrame:
        """Return one row per request."""
        rows = [
            (
                f"{item.prompt_id}_{item.sample}",
                item.prompt_id,
                item.sample,
                item.prompt,
                new.bases,
                new.mean_log_probability,
            )
            for item, new in zip(items, outputs)
        ]
        return pl.DataFrame(rows, schema=_SCHEMA, orient="row")

    def assemble(self, frames: Iterator[pl.DataFrame], out: Path) -> None:
        """Write the FASTA file: prompt and continuation, with all settings in the header."""
        settings = self.metadata()
        with atomic_file(out) as partial, partial.open("w", encoding="utf-8", newline="\n") as file:
            for frame in frames:
                for name, _, _, prompt, new, mean in frame.iter_rows():
                    write_record(file, name, prompt, new, {**settings, _MEAN: f"{mean:.6f}"})

    def collect(self, frames: Iterator[pl.DataFrame]) -> pl.DataFrame:
        """Return the table."""
        return pl.concat(list(frames))

    def count(self, rows: pl.DataFrame) -> Summary:
        """Return the numbers of sequences and new bases; all sequences end at the requested length."""
        return finished(rows, ["length"] * rows.height)

    def metadata(self) -> dict[str, str]:
        """Return the provenance of the sequences."""
        settings = {
            name: getattr(self.sampler, name) for name in ("temperature", "top_k", "top_p", "repetition_penalty")
        }
        return self.provenance.entries(n=self.n, length=self.length, **settings, seed=self.seed)


_MEAN = "mean_log_probability_nats_per_base"

_LETTERS = np.frombuffer(b"ACGT", "S1")
