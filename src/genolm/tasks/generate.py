"""Continuing prompts, base by base, into a FASTA."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import polars as pl

from genolm.engine.atomic import atomic_file
from genolm.engine.progress import Progress
from genolm.engine.windows import Window
from genolm.errors import InputError, ModelError
from genolm.tasks.bulk import Bulk
from genolm.tasks.continuation import continue_prompts
from genolm.tasks.embed import context_bases
from genolm.tasks.provenance import Provenance
from genolm.tasks.sampling import Sampler, uniforms
from genolm.tasks.sources import Source, settle
from genolm.tasks.tables import check_suffix

if TYPE_CHECKING:
    import torch

    from genolm.models.model import Model

SUFFIXES = (".fa", ".fasta", ".fna")
_LINE = 80
_SCHEMA = {
    "id": pl.String,
    "prompt_id": pl.String,
    "sample": pl.Int64,
    "prompt": pl.String,
    "generated": pl.String,
    "mean_log_probability_nats_per_base": pl.Float64,
}


@dataclass(frozen=True, slots=True)
class Request:
    """One sequence to generate.

    Attributes:
        prompt_id: the prompt's name.
        prompt: its bases; empty to begin a new sequence.
        number: the prompt's number, from 0.
        sample: which of the prompt's sequences this is, from 1.
    """

    prompt_id: str
    prompt: str
    number: int
    sample: int


@dataclass(frozen=True, slots=True)
class Continued:
    """What one request gives: the new bases, and their mean log-probability in nats per base."""

    bases: str
    mean_log_probability: float


@dataclass(frozen=True, slots=True)
class GenerateTask:
    """Generation as the engine runs it; :func:`generate` makes one.

    Attributes:
        source: the prompts.
        n: sequences for each.
        length: new bases for each sequence.
        sampler: how a base is drawn.
        seed: of the random numbers.
        context: most bases of prompt and continuation together.
        provenance: the model.
    """

    source: Source
    n: int
    length: int
    sampler: Sampler
    seed: int
    context: int
    provenance: Provenance
    name: ClassVar[str] = "generate"

    def items(self) -> Iterator[Request]:
        """The requests: all samples of a prompt, then those of the next.

        Raises:
            ModelError: a prompt that leaves no room for the continuation.
        """
        for number, (name, prompt) in enumerate(_prompts(self.source)):
            if max(1, len(prompt)) + self.length > self.context:
                raise ModelError(
                    f"prompt {name} of {len(prompt):,} bases and {self.length:,} new ones are more than"
                    f" {self.provenance.model} can read, which is {self.context:,}"
                )
            for sample in range(1, self.n + 1):
                yield Request(name, prompt, number, sample)

    def inputs(self) -> tuple[Path, ...]:
        """The files that are read."""
        return self.source.files()

    def cost(self, item: Request) -> int:
        """Tokens that are read or written."""
        return len(item.prompt) + self.length

    def windows(self, items: Sequence[Request], model: Model) -> list[Window]:
        """A prompt for each request."""
        return [Window(item.prompt, item, tokens=max(1, len(item.prompt)) + self.length) for item in items]

    def forward(self, model: Model, windows: Sequence[Window]) -> list[Continued]:
        """The continuations of a batch."""
        draws = np.stack(
            [uniforms(self.seed, window.origin.number, window.origin.sample, self.length) for window in windows]
        )
        prompts = [window.sequence for window in windows]
        bases_BT, means_B = continue_prompts(model, prompts, self.length, self.sampler, draws)
        texts = [_LETTERS[row].tobytes().decode() for row in bases_BT]
        return [Continued(text, float(mean)) for text, mean in zip(texts, means_B)]

    def rows(self, items: Sequence[Request], windows: Sequence[Window], outputs: Sequence[Continued]) -> pl.DataFrame:
        """A row for each request."""
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
        """Writes the FASTA: prompt and continuation, with everything that made them in the header."""
        settings = " ".join(f"{name}={_word(value)}" for name, value in self.metadata().items())
        with atomic_file(out) as partial, partial.open("w", encoding="utf-8", newline="\n") as file:
            for frame in frames:
                for name, _, _, prompt, new, mean in frame.iter_rows():
                    file.write(f">{name} prompt_bases={len(prompt)} {settings} {_MEAN}={mean:.6f}\n")
                    file.writelines(f"{line}\n" for line in _lines(prompt + new))

    def collect(self, frames: Iterator[pl.DataFrame]) -> pl.DataFrame:
        """The table."""
        return pl.concat(list(frames))

    def metadata(self) -> dict[str, str]:
        """Everything that says how the sequences were made."""
        settings = {
            name: getattr(self.sampler, name) for name in ("temperature", "top_k", "top_p", "repetition_penalty")
        }
        return self.provenance.described(n=self.n, length=self.length, **settings, seed=self.seed)


_MEAN = "mean_log_probability_nats_per_base"
_LETTERS = np.frombuffer(b"ACGT", "S1")


def _prompts(source: Source) -> Iterator[tuple[str, str]]:
    """Names and bases; an empty text, which no file can hold, is a prompt too."""
    if not isinstance(source.place, tuple):
        yield from ((record.id, record.sequence) for record in source.read())
        return
    # The placeholder keeps the numbers of names and messages.
    stand_ins = ["N" if value == "" else value for value in source.place]
    for value, record in zip(source.place, source.read_values(stand_ins)):
        yield record.id, "" if value == "" else record.sequence


def _lines(sequence: str) -> Iterator[str]:
    return (sequence[start : start + _LINE] for start in range(0, len(sequence), _LINE))


def _word(text: str) -> str:
    return "_".join(text.split())


def generate(
    model: Model | str | Path,
    prompts: Any,
    out: Path | str | None = None,
    *,
    n: int = 1,
    length: int = 256,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    repetition_penalty: float = 1.0,
    seed: int = 0,
    device: torch.device | str | None = None,
    dtype: torch.dtype | str | None = None,
    token_budget: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    shard: str | tuple[int, int] | None = None,
    progress: Progress | bool | None = None,
) -> Any:
    """Continues prompts base by base; only A, C, G and T are written.

    Each sequence has its own random numbers, which follow from ``seed``, the prompt's number and the sample's number:
    it does not depend on what else is generated with it.

    Args:
        model: a model, or what :func:`genolm.load` takes.
        prompts: a FASTA or another file of sequences, a table, or a list of texts; an empty text begins after the
            token that ends a document.
        out: ``.fa``, ``.fasta`` or ``.fna``; None returns the table.
        n: sequences for each prompt.
        length: new bases for each sequence.
        temperature: below 1 likelier, above 1 more varied; 0 always takes the likeliest base.
        top_k: sample among the k likeliest bases; 0 for all.
        top_p: sample among the likeliest bases that together reach p.
        repetition_penalty: above 1 bases that were already written become less likely.
        seed: same seed, same sequences.
        device: where to compute; None for the best there is.
        dtype: precision of the weights; None for what card and device prefer.
        token_budget: tokens of a batch; None for what fits.
        resume: go on from the finished parts of a killed run.
        overwrite: replace an existing output.
        shard: ``"i/n"``: do the i-th of n shares only, for :func:`genolm.merge`.
        progress: True for a bar on standard error.

    Returns:
        ``out``, a FASTA of prompts with their continuations; the header line holds the number of prompt bases, all
        settings, the model and the mean log-probability of the new bases in nats under the model itself. Without
        ``out`` a polars table: ``id, prompt_id, sample`` (from 1) ``, prompt, generated,
        mean_log_probability_nats_per_base``.

    Raises:
        InputError: prompts that cannot be used, or a setting out of its range.
        ModelError: no such model, or a prompt and its continuation are longer than its context.
        RunError: the output exists, or parts of another run are in the way.
        ResourceError: not enough memory or disk.
    """
    path = check_suffix(out, SUFFIXES)
    for name, number in (("n", n), ("length", length)):
        if number < 1:
            raise InputError(f"{name} is at least 1", value=number)
    sampler = Sampler(repetition_penalty, temperature, top_k, top_p)
    source = settle(prompts)
    bulk = Bulk(device, dtype, token_budget, resume, overwrite, shard, progress)
    opened = bulk.open(model, path)
    if opened.tokenizer.bases_per_token != 1:
        raise ModelError(f"{opened.card.name} has tokens of several bases; generate needs one token per base")
    task = GenerateTask(source, n, length, sampler, seed, context_bases(opened), Provenance.of(opened))
    return bulk.run(task, opened, path)
