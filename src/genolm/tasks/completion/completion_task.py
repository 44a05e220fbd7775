"""Completion of genes as run by the engine: completions of model and baselines into a table and its summary."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import polars as pl

from genolm.engine.summary import Summary
from genolm.engine.windows import Window
from genolm.files.atomic import atomic_file, sweep
from genolm.tasks.completion.completion_baselines import BASELINES, baselines
from genolm.tasks.completion.completion_metrics import MEASURES, measure
from genolm.tasks.completion.completion_summary import MODEL, summarise
from genolm.tasks.completion.gene_selection import Gene, GeneSelection, choose_genes
from genolm.tasks.reading.continuation.continue_prompts import continue_prompts
from genolm.tasks.reading.continuation.limits import Limits
from genolm.tasks.reading.continuation.prompts import Prompt, prompt_ids
from genolm.tasks.reading.continuation.sampling import Sampler, random_stream
from genolm.tasks.reading.continuation.steps import collect
from genolm.tasks.writing.provenance import Provenance, provenance_files
from genolm.tasks.writing.table_files import write_delimited, write_table

if TYPE_CHECKING:
    from genolm.models.model import Model

SCHEMA = {
    "id": pl.String,
    "place": pl.String,
    "source": pl.String,
    "sample": pl.Int64,
    "prompt_bases": pl.Int64,
    "truth_bases": pl.Int64,
    "nucleotide_identity": pl.Float64,
    "protein_identity": pl.Float64,
    "longest_frame_bases": pl.Int64,
    "frame_to_stop_bases": pl.Int64,
    "mean_log_probability_nats_per_base": pl.Float64,
    "completion": pl.String,
}

_OMITTED = ("path", "genome", "beyond")

_BASELINE_STREAM = 1 << 32  # offset of the baselines' random streams from the model's


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """One completion of one gene.

    Attributes:
        gene: the gene.
        number: index of the gene, from 0.
        sample: index of the completion, from 1.
    """

    gene: Gene
    number: int
    sample: int


@dataclass(frozen=True, slots=True)
class CompletionTask:
    """Completion as run by the engine; created by :func:`genolm.complete`.

    Attributes:
        choice: selection of genes.
        n: completions per gene.
        sampler: sampling rule.
        seed: random seed.
        reference: sequences that the Markov model is fitted to; None for the default of :class:`Baselines`.
        order: order of the Markov model.
        bases_per_token: mean bases per token of the model.
        provenance: provenance of the model.
    """

    choice: GeneSelection
    n: int
    sampler: Sampler
    seed: int
    reference: Path | None
    order: int
    bases_per_token: float
    provenance: Provenance
    name: ClassVar[str] = "complete"
    unit: ClassVar[str] = "completions"

    def items(self) -> Iterator[CompletionRequest]:
        """Yield all completions of a gene, then those of the next."""
        for number, gene in enumerate(choose_genes(self.choice).genes):
            for sample in range(1, self.n + 1):
                yield CompletionRequest(gene, number, sample)

    def inputs(self) -> tuple[Path, ...]:
        """Return the input files."""
        return tuple(path for path in (self.choice.path, self.choice.genome, self.reference) if path is not None)

    def cost(self, item: CompletionRequest) -> int:
        """Return the approximate number of tokens that are read or generated."""
        return 1 + math.ceil((len(item.gene.prompt) + len(item.gene.truth)) / self.bases_per_token)

    def windows(self, items: Sequence[CompletionRequest], model: Model) -> list[Window[CompletionRequest]]:
        """Return one window per completion: its prompt."""
        return [Window(item.gene.prompt, item, tokens=self.cost(item)) for item in items]

    def forward(self, model: Model, windows: Sequence[Window[CompletionRequest]]) -> list[tuple[str, float]]:
        """Return completions of the length of the truth, and their mean log-probability in nats per base."""
        prompts = [self._prompt(model, window.origin) for window in windows]
        continuations = collect(continue_prompts(model, prompts, self.sampler), len(prompts))
        texts = [model.tokenizer.decode(one.ids_T.astype(np.int32)) for one in continuations]
        totals = [float(one.log_probs_T.sum()) for one in continuations]
        return [(prompt.limits.cut(text), total / len(text)) for prompt, text, total in zip(prompts, texts, totals)]

    def _prompt(self, model: Model, request: CompletionRequest) -> Prompt:
        limits = Limits(max_bases=len(request.gene.truth), ignore_end=True)
        random = random_stream(self.seed, request.number, request.sample)
        return Prompt(prompt_ids(model, request.gene.prompt), limits, random)

    def subject(self, items: Sequence[CompletionRequest], window: Window[CompletionRequest], part: int) -> str:
        """Return a description of the window's completion for messages."""
        request: CompletionRequest = window.origin
        return f"gene {request.gene.id!r}, sample {request.sample}"

    def rows(
        self,
        items: Sequence[CompletionRequest],
        windows: Sequence[Window[CompletionRequest]],
        outputs: Sequence[tuple[str, float]],
    ) -> pl.DataFrame:
        """Return a row for each completion of the model and one for each baseline."""
        rows: list[tuple[Any, ...]] = []
        for item, (bases, mean) in zip(items, outputs):
            rows.append(_row(item, MODEL, bases, mean))
            random = random_stream(self.seed, item.number, _BASELINE_STREAM + item.sample)
            sampled = baselines(self.choice, self.reference, self.order).draw(item.gene, random)
            rows += [_row(item, source, sampled[source], None) for source in BASELINES]
        return pl.DataFrame(rows, schema=SCHEMA, orient="row")

    def side_files(self, out: Path) -> tuple[Path, ...]:
        """Return the files written next to the output."""
        return (summary_path(out), *provenance_files(out))

    def assemble(self, frames: Iterator[pl.DataFrame], out: Path) -> None:
        """Write the table and ``OUT.summary.tsv``; neither if one of them fails."""
        table = self.collect(frames)
        summary = summary_path(out)
        sweep(summary)
        with atomic_file(summary) as partial:
            write_delimited(iter([summarise(table, seed=self.seed)]), partial, "\t")
            write_table(iter([table]), out, self.metadata())

    def collect(self, frames: Iterator[pl.DataFrame]) -> pl.DataFrame:
        """Return the table."""
        return pl.concat(list(frames))

    def count(self, rows: pl.DataFrame) -> Summary:
        """Return the numbers of genes and of the model's completions."""
        completions = rows.filter(pl.col("source") == MODEL)
        genes = completions.filter(pl.col("sample") == 1).height
        return Summary({"genes": genes}, results={"completions": completions.height})

    def conclude(self, counted: Summary, made: Any) -> Summary:
        """Return the summary with the genes that were left out."""
        left_out = choose_genes(self.choice).left_out
        return counted + Summary(
            {}, results={f"genes left out ({reason})": count for reason, count in left_out.items()}
        )

    def metadata(self) -> dict[str, str]:
        """Return the provenance of the completions."""
        chosen = choose_genes(self.choice)
        settings = {name: value for name, value in asdict(self.choice).items() if name not in _OMITTED}
        return self.provenance.entries(
            **settings,
            n=self.n,
            **asdict(self.sampler),
            order=self.order,
            genes=len(chosen.genes),
            left_out=chosen.left_out,
        )


def summary_path(out: Path) -> Path:
    """Return the path of the summary of a table."""
    return out.with_name(f"{out.name}.summary.tsv")


def _row(item: CompletionRequest, source: str, completion: str | None, mean: float | None) -> tuple[Any, ...]:
    gene = item.gene
    values = (None,) * len(MEASURES) if completion is None else tuple(asdict(measure(gene, completion)).values())
    bases = (len(gene.prompt), len(gene.truth))
    return (gene.id, gene.place, source, item.sample, *bases, *values, mean, completion)
