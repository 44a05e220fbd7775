"""In-silico saturation mutagenesis: scores of all single-base changes of an interval."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import polars as pl

from genolm.engine.analysis import stored_task
from genolm.engine.progress import Progress
from genolm.errors import InputError
from genolm.genome.fasta import Genome
from genolm.genome.interval import Interval
from genolm.genome.vcf.vcf_records import VariantRecord
from genolm.tasks.reading.bulk import Bulk
from genolm.tasks.reading.variant_columns import Method
from genolm.tasks.reading.variant_records import VariantRun
from genolm.tasks.variants.mutation_plots import check_length, plot_mutations
from genolm.tasks.variants.token_variants import TokenVariantTask
from genolm.tasks.variants.variant_task import HORIZON, TOKEN_METHODS, VariantTask, check_method, choose_method
from genolm.tasks.writing.figure_sheet import check_plot
from genolm.tasks.writing.kept_parts import Request, analysed_by
from genolm.tasks.writing.table_files import SUFFIXES, check_suffix, write_table

if TYPE_CHECKING:
    import torch

    from genolm.models.model import Model

_KEPT = ("chrom", "pos", "ref", "alt", "status")


@dataclass(frozen=True)
class Mutations(VariantRun):
    """All single-base changes of the interval given by ``source``; see :func:`mutate`."""

    unit: ClassVar[str] = "positions"
    alleles: ClassVar[str] = "single-base changes"

    def records(self) -> Iterator[VariantRecord]:
        """Yield a record with three ALT alleles for each known base."""
        interval = Interval.parse(self.source)
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
class MutationTask(Mutations, VariantTask):
    """Mutations scored by a decoder of single bases."""

    name: ClassVar[str] = "mutate"


@dataclass(frozen=True)
class TokenMutationTask(Mutations, TokenVariantTask):
    """Mutations scored token by token."""

    name: ClassVar[str] = "mutate"


def _analyse(request: Request) -> Any:
    """Write or plot the mutations of earlier parts."""
    path, picture = check_suffix(request.out, SUFFIXES), check_plot(request.given.get("plot"))
    task: MutationTask | TokenMutationTask = stored_task(request.parts, MutationTask, TokenMutationTask)
    if picture is not None:
        _check_plotted(Interval.parse(task.source), Genome(task.genome, iupac=task.genome_iupac))
    result = Bulk(**request.running).analyse(request.parts, task, path)
    if picture is not None:
        _plot(task, result, picture)
    return result


@analysed_by(_analyse, ("plot",))
def mutate(
    model: Model | str | Path | None = None,
    interval: Interval | str | None = None,
    out: Path | str | None = None,
    *,
    from_: Path | str | None = None,
    genome: Genome | str | Path | None = None,
    method: Method | None = None,
    context: int | None = None,
    rc: bool | None = None,
    plot: Path | str | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype | str | None = None,
    token_budget: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    shard: str | tuple[int, int] | None = None,
    progress: Progress | bool | None = None,
    dry_run: bool = False,
    keep_parts: bool = False,
) -> Any:
    """Score all three substitutions at every base of an interval: log p(ALT) - log p(REF) in nats.

    Negative: the ALT allele is less likely. Methods and strands are those of :func:`genolm.variants` (``full`` with a
    horizon of 512 bases). Unknown bases (N) have no rows.

    Args:
        model: a model, or a name or path for :func:`genolm.load`.
        interval: interval such as ``chr22:1,001-2,000`` (1-based, inclusive), or an `Interval`; on the forward strand.
        out: ``.parquet``, ``.tsv`` or ``.csv``; None returns the table.
        from_: parts of a run with ``keep_parts`` (``OUT.parts``), to write or plot them again without the model; only
            ``plot`` can be given with it.
        genome: FASTA of the genome, plain or bgzip-compressed.
        method: ``conditional`` (one pass for all substitutions) or ``full`` (a branch per substitution); ``window`` or
            ``masked`` for other models, as in :func:`genolm.variants`. None: the first method that the model supports.
        context: minimum upstream context in bases; None: 4,096, or less if the model's limit is short. With ``window``
            and ``masked``: maximum number of bases read together.
        rc: also read the reverse strand; the score is the mean of both. None: only with ``window`` and ``masked``.
        plot: ``.png``, ``.svg`` or ``.pdf`` with a sequence logo above a heat map
            (:func:`genolm.tasks.variants.mutation_plots.plot_mutations`); an existing file is replaced.
        device: device to compute on; None: the first CUDA device, else the CPU.
        dtype: precision of the weights; None: the preference of model card and device.
        token_budget: tokens per batch; None: as many as fit in memory.
        resume: continue from the finished parts of an interrupted run.
        overwrite: replace an existing output.
        shard: ``"i/n"``: compute only the i-th of n shares, for :func:`genolm.merge`.
        progress: True for a progress bar on standard error.
        dry_run: write nothing; time a few batches and return a :class:`genolm.engine.run.Estimate`.
        keep_parts: keep the parts in ``OUT.parts`` for ``from_``.

    Returns:
        ``out``, or without it a polars table: ``chrom``, ``pos`` (1-based), ``ref``, ``alt``,
        ``llr_alt_minus_ref_site_nats`` (or the column of the method in :func:`genolm.variants`), with ``rc`` also
        ``…_forward`` and ``…_reverse``, and ``status``.

    Raises:
        InputError: if the interval extends beyond its contig or has no known base, the output format is not supported,
            or a plot has more than 3,000 bases.
        ModelError: if the model is unknown, or cannot read the context.
        RunError: if the output exists, or parts of another run are in the way.
        GenolmError: if a package for the plot is not installed.
    """
    if model is None or interval is None or genome is None:
        raise InputError("model, interval and genome are required, except with from_")
    path, picture = check_suffix(out, SUFFIXES), check_plot(plot)
    if picture is not None and shard is not None:
        raise InputError("a plot needs all positions: merge the shards, then call plot_mutations(table, plot)")
    fasta = genome if isinstance(genome, Genome) else Genome(genome)
    region = check_interval(interval, fasta)
    check_method(method)
    if picture is not None:
        _check_plotted(region, fasta)
    bulk = Bulk(device, dtype, token_budget, resume, overwrite, shard, progress, dry_run, keep_parts)
    opened = bulk.open(model, path)
    single = opened.causal and opened.tokenizer.bases_per_token == 1
    chosen = choose_method(opened, "conditional" if single and method is None else method)
    kind = TokenMutationTask if chosen in TOKEN_METHODS else MutationTask
    task = kind.fit(
        opened, context, HORIZON, source=str(region), genome=fasta.path, method=chosen, rc=rc, on_mismatch="raise",
        genome_iupac=fasta.iupac,
    )  # fmt: skip
    result = bulk.run(task, opened, path)
    if picture is not None and not dry_run:
        _plot(task, result, picture)
    return result


def _plot(task: MutationTask | TokenMutationTask, result: Any, picture: Path) -> None:
    """Plot the result of a run: a table, or its path."""
    strands = "both strands" if task.rc else "forward strand"
    table = _read(result) if isinstance(result, Path) else result
    plot_mutations(table, picture, subtitle=f"{task.provenance.model}, {task.method}, {strands}")


def _check_plotted(region: Interval, genome: Genome) -> None:
    """Raise `InputError` if the interval is too long for a plot."""
    check_length(len(genome[region].strip("N")), "plot a shorter interval, or omit the plot")


def check_interval(interval: Interval | str, genome: Genome) -> Interval:
    """Return the interval with the genome's name of the contig.

    Raises:
        InputError: if the interval is on the reverse strand, its contig is unknown, it extends beyond the contig, or it
            has no known base.
    """
    parsed = Interval.parse(interval) if isinstance(interval, str) else interval
    if parsed.strand == "-":
        raise InputError(
            "mutations are defined on the forward strand; rc=True (--rc) reads both strands", value=str(parsed)
        )
    region = Interval(genome.resolve(parsed.chrom), parsed.start, parsed.end)
    length = genome.lengths[region.chrom]
    if region.start < 0 or region.end > length:
        raise InputError(f"the interval extends beyond {region.chrom}, which has bases 1-{length:,}", value=str(parsed))
    if not set(genome[region]) - {"N"}:
        raise InputError("the genome has only N in this interval", value=str(parsed))
    return region


def _read(path: Path) -> pl.DataFrame:
    if path.suffix.lower() == ".parquet":
        return pl.read_parquet(path, glob=False)
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    return pl.read_csv(path, glob=False, separator=separator, schema_overrides={"chrom": pl.String})
