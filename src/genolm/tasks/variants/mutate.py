"""In-silico saturation mutagenesis: scores of all single-base changes of an interval."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Unpack

import polars as pl

from genolm.engine.analysis import stored_task
from genolm.engine.result import Result
from genolm.errors import InputError
from genolm.genome.fasta import Genome
from genolm.genome.interval import Interval
from genolm.genome.vcf.vcf_records import VariantRecord
from genolm.parameters import Bases, KeptParts, OutputFile, ReplacedBy, Shown
from genolm.remedies import Remedy
from genolm.tasks.reading.bulk import AnyModel, Bulk, Reference, RunOptions
from genolm.tasks.reading.variant_columns import Method
from genolm.tasks.reading.variant_records import VariantRun
from genolm.tasks.variants.mutation_plots import check_length, plot_mutations
from genolm.tasks.variants.token_variants import TokenVariantTask
from genolm.tasks.variants.variant_scores import Mutations
from genolm.tasks.variants.variant_task import HORIZON, TOKEN_METHODS, VariantTask, choose_method
from genolm.tasks.writing.figure_sheet import check_plot
from genolm.tasks.writing.kept_parts import Request, analysed_by
from genolm.tasks.writing.table_files import SUFFIXES, check_suffix, write_table
from genolm.verbs import verb

_KEPT = ("chrom", "pos", "ref", "alt", "status")


@dataclass(frozen=True)
class MutationRun(VariantRun):
    """All single-base changes of the interval given by ``source``; see :func:`mutate`."""

    unit: ClassVar[str] = "positions"
    alleles: ClassVar[str] = "single-base changes"

    def records(self) -> Iterator[VariantRecord]:
        """Yield a record with three ALT alleles for each known base."""
        interval = Interval.parse(str(self.source))
        bases = self.reference[interval]
        for index, (pos, ref) in enumerate(zip(range(interval.start + 1, interval.end + 1), bases)):
            if ref in "ACGT":
                yield VariantRecord(index, None, interval.chrom, pos, ".", ref, tuple("ACGT".replace(ref, "")))

    def assemble(self, frames: Iterator[pl.DataFrame], out: Path) -> None:
        """Write the table."""
        write_table(map(self._kept, frames), out, self.metadata())

    def metadata(self) -> dict[str, str]:
        """Return model and settings for the provenance."""
        return self.provenance.entries(interval=self.source, **self.settings)

    def collect(self, frames: Iterator[pl.DataFrame]) -> pl.DataFrame:
        """Return the table."""
        return pl.concat(map(self._kept, frames))

    def _kept(self, frame: pl.DataFrame) -> pl.DataFrame:
        scores = [self.columns.score + ending for ending in ("", *self.columns.strands)]
        return frame.select(*_KEPT[:-1], *scores, _KEPT[-1])


@dataclass(frozen=True)
class MutationTask(MutationRun, VariantTask):
    """Mutations scored by a decoder of single bases."""

    name: ClassVar[str] = "mutate"


@dataclass(frozen=True)
class TokenMutationTask(MutationRun, TokenVariantTask):
    """Mutations scored token by token."""

    name: ClassVar[str] = "mutate"


def _analyse(request: Request) -> Mutations:
    """Write or plot the mutations of earlier parts."""
    path, picture = check_suffix(request.out, SUFFIXES), check_plot(request.given.get("plot"))
    kinds: tuple[type[MutationTask | TokenMutationTask], ...] = (MutationTask, TokenMutationTask)
    task = stored_task(request.parts, *kinds)
    if picture is not None:
        _check_plotted(Interval.parse(str(task.source)), Genome(task.genome, iupac=task.genome_iupac))
    return _mutated(task, Bulk(**request.running).analyse(request.parts, task, path), picture)


@verb(
    example="genolm mutate genolm-nano chr22:1,001-1,060 changes.tsv --genome hg38.fa --plot changes.png",
)
@analysed_by(_analyse, ("plot",))
def mutate(
    model: Annotated[AnyModel | None, ReplacedBy("from_")] = None,
    interval: Annotated[Interval | str | None, Shown("INTERVAL"), ReplacedBy("from_")] = None,
    out: OutputFile | None = None,
    *,
    from_: KeptParts | None = None,
    genome: Annotated[Reference | None, ReplacedBy("from_")] = None,
    method: Method | None = None,
    context: Bases | None = None,
    rc: bool | None = None,
    plot: Path | str | None = None,
    **run: Unpack[RunOptions],
) -> Mutations:
    """Score every single-base substitution in an interval.

    Scores are in nats: log-likelihood of ALT minus that of REF; negative: the ALT allele is less likely.

    Methods and strands are those of :func:`genolm.variants` (``full`` with a horizon of 512 bases). Unknown bases (N)
    have no rows.

    Args:
        model: Model: a name from `genolm models`, a model folder, or a Hugging Face Hub id.
        interval: Interval, 1-based and inclusive: chr22:1,001-1,200.
        out: Table to write: .parquet, .tsv or .csv.
        from_: Parts of a run with `keep_parts` (OUTPUT.parts) to write or plot again, without the model. Only `plot`
            may be given with it.
        genome: Reference genome (FASTA, plain or bgzipped); required unless `from_` is given.
        method: Scoring method, as for variants. Default: conditional for single-base decoders, otherwise the method
            that the model supports.
        context: Methods full and conditional: minimum context before each variant, in bases; default 4,096, or less
            for models with a shorter context. Methods window and masked: maximum window length; default the model's
            maximum.
        rc: Average the scores of both strands. Default: on for the methods window and masked, off otherwise.
        plot: Also plot a sequence logo and a heat map, of at most 3,000 bases: .png, .svg or .pdf (extra: plots). An
            existing file is replaced.

    Returns:
        The scores, in memory or written to ``out``; `table` has the columns ``chrom``, ``pos`` (1-based), ``ref``,
        ``alt``, ``llr_alt_minus_ref_site_nats`` (or the column of the method in :func:`genolm.variants`), with ``rc``
        also ``…_forward`` and ``…_reverse``, and ``status``.

    Raises:
        InputError: if the interval extends beyond its contig or has no known base, the output format is not supported,
            or a plot has more than 3,000 bases.
        ModelError: if the model is unknown, or cannot read the context.
        RunError: if the output exists, or parts of another run are in the way.
        GenolmError: if a package for the plot is not installed.
    """
    if model is None or interval is None or genome is None:
        raise InputError(
            "a model, an interval and a genome are required",
            code="missing-argument",
            remedy=Remedy("from_", None, "analyse kept parts"),
        )
    bulk = Bulk.of(run)
    path, picture = check_suffix(out, SUFFIXES), check_plot(plot)
    if picture is not None and bulk.shard is not None:
        raise InputError("a plot needs all positions: merge the shards, then call plot_mutations(table, plot)")
    fasta = genome if isinstance(genome, Genome) else Genome(genome)
    region = check_interval(interval, fasta)
    if picture is not None:
        _check_plotted(region, fasta)
    opened = bulk.open(model, path)
    single = opened.causal and opened.tokenizer.bases_per_token == 1
    chosen = choose_method(opened, "conditional" if single and method is None else method)
    kind = TokenMutationTask if chosen in TOKEN_METHODS else MutationTask
    task = kind.fit(
        opened, context, HORIZON, source=str(region), genome=fasta.path, method=chosen, rc=rc, on_mismatch="raise",
        genome_iupac=fasta.iupac,
    )  # fmt: skip
    return _mutated(task, bulk.run(task, opened, path), picture)


def _mutated(task: MutationTask | TokenMutationTask, outcome: Result, picture: Path | None) -> Mutations:
    """Return the mutations of a run, and plot them unless it was a dry run."""
    mutations = Mutations(outcome, task)
    if picture is not None and outcome.estimate is None:
        strands = "both strands" if task.rc else "forward strand"
        subtitle = f"{task.provenance.model}, {task.method}, {strands}"
        plot_mutations(mutations.table, picture, subtitle=subtitle)
    return mutations


def _check_plotted(region: Interval, genome: Genome) -> None:
    """Raise `InputError` if the interval is too long for a plot."""
    check_length(len(genome[region].strip("N")), "plot a shorter interval, or omit the plot")


def check_interval(interval: Interval | str, genome: Genome) -> Interval:
    """Return the interval with the genome's name of the contig.

    Raises:
        InputError: if the interval is on the reverse strand, its contig is unknown, it extends beyond the contig, or it
            has no known base.
    """
    parsed = Interval.of(interval)
    if parsed.strand == "-":
        raise InputError(
            "mutations are defined on the forward strand",
            value=str(parsed),
            remedy=Remedy("rc", True, "read both strands"),
        )
    region = Interval(genome.resolve(parsed.chrom), parsed.start, parsed.end)
    length = genome.lengths[region.chrom]
    if region.start < 0 or region.end > length:
        raise InputError(
            f"the interval extends beyond {region.chrom}, which has bases 1-{length:,}",
            value=str(parsed),
            code="off-contig",
        )
    if not set(genome[region]) - {"N"}:
        raise InputError("the genome has only N in this interval", value=str(parsed))
    return region
