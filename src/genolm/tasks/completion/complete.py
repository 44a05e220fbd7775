"""The verb: genes from their first part, several samples each, beside baselines, into a table and its summary."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import polars as pl

from genolm.engine.progress import Progress
from genolm.engine.summary import Summary
from genolm.engine.target import check_target
from genolm.engine.windows import Window
from genolm.errors import InputError
from genolm.files.atomic import atomic_file, sweep
from genolm.genome.labelled.fragments import one_file
from genolm.tasks.completion.completion_baselines import BASELINES, MOST_ORDER, baselines
from genolm.tasks.completion.completion_metrics import MEASURES, measure, require
from genolm.tasks.completion.completion_summary import MODEL, summarise
from genolm.tasks.completion.gene_selection import Choice, Gene, choose_genes
from genolm.tasks.reading.bulk import Bulk
from genolm.tasks.reading.sampling import Sampler, stream
from genolm.tasks.reading.token_continuation import Drawn, Limits, continue_tokens, prompt_ids
from genolm.tasks.writing.provenance import Provenance, records_beside
from genolm.tasks.writing.table_files import SUFFIXES, check_suffix, write_delimited, write_table

if TYPE_CHECKING:
    import torch

    from genolm.models.model import Model

_SCHEMA = {
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
_UNWRITTEN = ("path", "genome", "beyond")
_BASELINE_STREAM = 1 << 32  # samples of baselines never share a stream of random numbers with the model's


@dataclass(frozen=True, slots=True)
class Asked:
    """One completion of one gene: the gene, its number from 0, the sample's from 1."""

    gene: Gene
    number: int
    sample: int


@dataclass(frozen=True, slots=True)
class CompletionTask:
    """Completion as the engine runs it; :func:`genolm.complete` makes one.

    Attributes:
        choice: the genes.
        n: completions of each.
        sampler: how a base or token is drawn.
        seed: of all random numbers.
        reference: what the Markov model has its composition from; None as :class:`Baselines` says.
        order: of the Markov model.
        bases_per_token: of the model.
        provenance: the model.
    """

    choice: Choice
    n: int
    sampler: Sampler
    seed: int
    reference: Path | None
    order: int
    bases_per_token: float
    provenance: Provenance
    name: ClassVar[str] = "complete"
    unit: ClassVar[str] = "completions"

    def items(self) -> Iterator[Asked]:
        """All completions of a gene, then those of the next."""
        for number, gene in enumerate(choose_genes(self.choice).genes):
            for sample in range(1, self.n + 1):
                yield Asked(gene, number, sample)

    def inputs(self) -> tuple[Path, ...]:
        """The files that are read."""
        return tuple(path for path in (self.choice.path, self.choice.genome, self.reference) if path is not None)

    def cost(self, item: Asked) -> int:
        """Tokens that are read or written, about."""
        return 1 + math.ceil((len(item.gene.prompt) + len(item.gene.truth)) / self.bases_per_token)

    def windows(self, items: Sequence[Asked], model: Model) -> list[Window]:
        """A prompt for each completion."""
        return [Window(item.gene.prompt, item, tokens=self.cost(item)) for item in items]

    def forward(self, model: Model, windows: Sequence[Window]) -> list[tuple[str, float]]:
        """New bases, as many as nature wrote, and their mean log-probability in nats per base."""
        asked = [window.origin for window in windows]
        limits = [Limits(max_bases=len(one.gene.truth), ignore_end=True) for one in asked]
        prompts = [prompt_ids(model, one.gene.prompt) for one in asked]
        streams = [stream(self.seed, one.number, one.sample) for one in asked]
        drawn = continue_tokens(model, prompts, limits, self.sampler, streams)
        return [_bases(model, one, len(asked[place].gene.truth)) for place, one in enumerate(drawn)]

    def subject(self, items: Sequence[Asked], window: Window, part: int) -> str:
        """The completion that a window begins, in words."""
        asked: Asked = window.origin
        return f"gene {asked.gene.id!r}, sample {asked.sample}"

    def rows(
        self, items: Sequence[Asked], windows: Sequence[Window], outputs: Sequence[tuple[str, float]]
    ) -> pl.DataFrame:
        """For each completion of the model one row, and one of each baseline."""
        rows: list[tuple[Any, ...]] = []
        for item, (bases, mean) in zip(items, outputs):
            rows.append(_row(item, MODEL, bases, mean))
            random = stream(self.seed, item.number, _BASELINE_STREAM + item.sample)
            drawn = baselines(self.choice, self.reference, self.order).draw(item.gene, random)
            rows += [_row(item, source, drawn[source], None) for source in BASELINES]
        return pl.DataFrame(rows, schema=_SCHEMA, orient="row")

    def beside(self, out: Path) -> tuple[Path, ...]:
        """The files that are written beside the output."""
        return (summary_path(out), *records_beside(out))

    def assemble(self, frames: Iterator[pl.DataFrame], out: Path) -> None:
        """Writes the table, and beside it ``OUT.summary.tsv``; neither when one cannot be."""
        table = self.collect(frames)
        summary = summary_path(out)
        sweep(summary)
        with atomic_file(summary) as partial:
            write_delimited(iter([summarise(table, seed=self.seed)]), partial, "\t")
            write_table(iter([table]), out, self.metadata())

    def collect(self, frames: Iterator[pl.DataFrame]) -> pl.DataFrame:
        """The table."""
        return pl.concat(list(frames))

    def count(self, rows: pl.DataFrame) -> Summary:
        """Genes, and the model's completions of them."""
        own = rows.filter(pl.col("source") == MODEL)
        genes = own.filter(pl.col("sample") == 1).height
        return Summary({"genes": genes}, results={"completions": own.height})

    def conclude(self, counted: Summary, made: Any) -> Summary:
        """The same, with the genes that were left out."""
        left_out = choose_genes(self.choice).left_out
        return counted + Summary(
            {}, results={f"genes left out ({reason})": count for reason, count in left_out.items()}
        )

    def metadata(self) -> dict[str, str]:
        """Everything that says how the completions were made."""
        chosen = choose_genes(self.choice)
        settings = {name: value for name, value in asdict(self.choice).items() if name not in _UNWRITTEN}
        return self.provenance.described(
            **settings,
            n=self.n,
            **asdict(self.sampler),
            order=self.order,
            genes=len(chosen.genes),
            left_out=chosen.left_out,
        )


def summary_path(out: Path) -> Path:
    """Where the summary of a table stands."""
    return out.with_name(f"{out.name}.summary.tsv")


def complete(
    model: Model | str | Path,
    genes: Path | str,
    out: Path | str | None = None,
    *,
    genome: Path | str | None = None,
    reference: Path | str | None = None,
    prompt_fraction: float = 0.3,
    n: int = 4,
    draw: int = 0,
    shortest: int = 300,
    longest: int = 0,
    order: int = 5,
    code: int = 11,
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
    dry_run: bool = False,
) -> Any:
    """Completes genes from their first part and compares what comes with what nature wrote.

    A completion is as long as the truth; the model's end token is not drawn. Beside each stand a Markov model that goes
    on from the prompt, the same stretch of another gene of the file, and the truth shuffled.

    Args:
        model: a causal model, or what :func:`genolm.load` takes.
        genes: GenBank or EMBL with sequence (extra ``genbank``); GFF3 or GTF beside ``genome``; else a FASTA of coding
            sequences. Genes on the minus strand are read in their own direction.
        out: ``.parquet``, ``.tsv`` or ``.csv``; ``OUT.summary.tsv`` is written beside it. None returns the table.
        genome: FASTA that a GFF3 or GTF speaks of.
        reference: FASTA whose composition the Markov model has. None for ``genome``, for the sequences of a GenBank or
            EMBL file, else for the other genes. The gene itself is left out, but from a ``reference``.
        prompt_fraction: part of each gene that is given, rounded down to whole codons.
        n: completions of each gene.
        draw: complete so many genes, drawn by ``seed``; 0 for all.
        shortest: bases of the shortest gene that is taken.
        longest: bases of the longest; 0 for any. Genes that the model cannot read whole are left out and counted
            before any are drawn.
        order: bases that the Markov model looks back, 0 to 10.
        code: genetic code by NCBI's number where the annotation names none: 1, 4, 11 or 25.
        temperature: as for :func:`genolm.generate`.
        top_k: likewise.
        top_p: likewise.
        repetition_penalty: likewise; with the prompt counted as written.
        seed: same seed, same completions.
        device: where to compute; None for the best there is.
        dtype: precision of the weights; None for what card and device prefer.
        token_budget: tokens of a batch; None for what fits.
        resume: go on from the finished parts of a killed run.
        overwrite: replace an existing output.
        shard: ``"i/n"``: do the i-th of n shares only, for :func:`genolm.merge`.
        progress: True for a bar on standard error.
        dry_run: write nothing; measure a few batches and return an :class:`genolm.engine.run.Estimate` of the run.

    Returns:
        ``out``, or the table ``id, place, source`` (``model, markov, natural, shuffled``) ``, sample, prompt_bases,
        truth_bases, nucleotide_identity, protein_identity, longest_frame_bases, frame_to_stop_bases,
        mean_log_probability_nats_per_base, completion``; see :class:`Measured` and :func:`summarise`. A baseline that
        cannot be made, as where no other gene is long enough, has nulls.

    Raises:
        InputError: no gene that can be completed, a file that cannot be read, a setting out of its range.
        ModelError: no such model, or an encoder.
        GenolmError: edlib is not installed, or Biopython for GenBank and EMBL.
        RunError: the output exists, or parts of another run are in the way.
        ResourceError: not enough memory or disk.
    """
    require()
    path = check_suffix(out, SUFFIXES)
    for name, number, low in (("n", n, 1), ("draw", draw, 0), ("shortest", shortest, 6)):
        if number < low:
            raise InputError(f"{name} is at least {low}", value=number)
    if not 0 <= order <= MOST_ORDER:
        raise InputError(f"order is from 0 to {MOST_ORDER}", value=order)
    place = None if genome is None else Path(genome)
    choice = Choice(one_file(genes), place, prompt_fraction, shortest, longest, draw, seed, code)
    sampler = Sampler(repetition_penalty, temperature, top_k, top_p)
    choose_genes(choice)
    bulk = Bulk(device, dtype, token_budget, resume, overwrite, shard, progress, dry_run)
    for target in [] if path is None else [path, summary_path(path)]:
        check_target(target, overwrite=overwrite, resume=resume, run=path)
    opened = bulk.open(model, path)
    choice = _fitting(opened, choice)
    provenance, width = Provenance.of(opened), opened.tokenizer.bases_per_token
    known = None if reference is None else Path(reference)
    return bulk.run(CompletionTask(choice, n, sampler, seed, known, order, width, provenance), opened, path)


def _fitting(model: Model, choice: Choice) -> Choice:
    """The choice without the genes that the model cannot read whole.

    Raises:
        ModelError: an encoder.
        InputError: no gene is left.

    Warns:
        UserWarning: how many are left out.
    """
    model.decoder  # noqa: B018  # says so where it is none
    candidates = choose_genes(replace(choice, count=0)).genes
    beyond = [number for number, gene in enumerate(candidates) if _tokens(model, gene) > model.context]
    if not beyond:
        return choice
    fitting = replace(choice, beyond=f"{sum(1 << number for number in beyond):x}")
    choose_genes(fitting)
    warnings.warn(
        f"{len(beyond):,} of {len(candidates):,} genes are left out: they are longer than {model.card.name} can read"
        f" ({model.context:,} tokens)",
        stacklevel=3,
    )
    return fitting


def _tokens(model: Model, gene: Gene) -> int:
    """Tokens of prompt and truth, about."""
    return len(prompt_ids(model, gene.prompt)) + math.ceil(len(gene.truth) / model.tokenizer.bases_per_token)


def _bases(model: Model, drawn: Drawn, length: int) -> tuple[str, float]:
    text = model.tokenizer.decode(drawn.ids_T.astype(np.int32))
    return text[:length], float(drawn.log_probs_T.sum()) / len(text)


def _row(item: Asked, source: str, completion: str | None, mean: float | None) -> tuple[Any, ...]:
    gene = item.gene
    values = (None,) * len(MEASURES) if completion is None else tuple(asdict(measure(gene, completion)).values())
    bases = (len(gene.prompt), len(gene.truth))
    return (gene.id, gene.place, source, item.sample, *bases, *values, mean, completion)
