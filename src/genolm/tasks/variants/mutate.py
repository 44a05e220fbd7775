"""Saturation mutagenesis: every single-base change of an interval, scored as variants are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import polars as pl

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
from genolm.tasks.writing.table_files import SUFFIXES, check_suffix, write_table

if TYPE_CHECKING:
    import torch

    from genolm.models.model import Model

_KEPT = ("chrom", "pos", "ref", "alt", "status")


@dataclass(frozen=True)
class Mutations(VariantRun):
    """All single-base changes of the interval that ``source`` spells; see :func:`mutate`."""

    unit: ClassVar[str] = "positions"
    alleles: ClassVar[str] = "single-base changes"

    def records(self) -> Iterator[VariantRecord]:
        """A record with three alternatives for every base that is known."""
        interval = Interval.parse(self.source)
        bases = self.reference[interval]
        for index, (pos, ref) in enumerate(zip(range(interval.start + 1, interval.end + 1), bases)):
            if ref in "ACGT":
                yield VariantRecord(index, None, interval.chrom, pos, ".", ref, tuple("ACGT".replace(ref, "")))

    def assemble(self, frames: Iterator[pl.DataFrame], out: Path) -> None:
        """Writes the table."""
        write_table(map(self._kept, frames), out, self.metadata())

    def metadata(self) -> dict[str, str]:
        """Everything that says how the scores were made."""
        return self.provenance.described(interval=self.source, **self.settings)

    def collect(self, frames: Iterator[pl.DataFrame]) -> pl.DataFrame:
        """The table."""
        return pl.concat(map(self._kept, frames))

    def _kept(self, frame: pl.DataFrame) -> pl.DataFrame:
        scores = [self.columns.score + ending for ending in ("", *self.columns.strands)]
        return frame.select(*_KEPT[:-1], *scores, _KEPT[-1])


@dataclass(frozen=True)
class MutationTask(Mutations, VariantTask):
    """The mutations under a model that reads single bases."""

    name: ClassVar[str] = "mutate"


@dataclass(frozen=True)
class TokenMutationTask(Mutations, TokenVariantTask):
    """The mutations under any other model."""

    name: ClassVar[str] = "mutate"


def mutate(
    model: Model | str | Path,
    interval: Interval | str,
    out: Path | str | None = None,
    *,
    genome: Genome | str | Path,
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
) -> Any:
    """Scores all three substitutions at every base of an interval: log p(ALT) - log p(REF), nats.

    Negative: the model finds the alternative less likely. Methods and strands are those of :func:`genolm.variants`
    (``full`` with a horizon of 512 bases). Bases that the genome does not know (N) have no rows.

    Args:
        model: a model, or what :func:`genolm.load` takes.
        interval: as ``chr22:1,001-2,000`` (1-based, both ends included), or an `Interval`; on the forward strand.
        out: ``.parquet``, ``.tsv`` or ``.csv``; None returns the table.
        genome: FASTA, plain or bgzip.
        method: ``conditional`` (one pass for everything) or ``full`` (a branch for each substitution); ``window`` or
            ``masked`` where :func:`genolm.variants` has these. None for the first that the model has.
        context: bases that at least precede every position; None for 4,096, or what the model has room for. With
            ``window`` and ``masked``: most bases that are read together.
        rc: read the reverse strand too; the score is the mean. None: with ``window`` and ``masked``.
        plot: ``.png``, ``.svg`` or ``.pdf`` of a sequence logo above a heat map
            (:func:`genolm.tasks.variants.mutation_plots.plot_mutations`); replaced when it exists.
        device: where to compute; None for the best there is.
        dtype: precision of the weights; None for what card and device prefer.
        token_budget: tokens of a batch; None for what fits.
        resume: go on from the finished parts of a killed run.
        overwrite: replace an existing output.
        shard: ``"i/n"``: do the i-th of n shares only, for :func:`genolm.merge`.
        progress: True for a bar on standard error.
        dry_run: write nothing; measure a few batches and return an :class:`genolm.engine.run.Estimate` of the run.

    Returns:
        ``out``, or without one a polars table: ``chrom``, ``pos`` (1-based), ``ref``, ``alt``,
        ``llr_alt_minus_ref_site_nats`` (or the column of the method in :func:`genolm.variants`), with ``rc`` also
        ``…_forward`` and ``…_reverse``, and ``status``.

    Raises:
        InputError: an interval that is not wholly on its contig, or without a known base; an unknown kind of output,
            a plot of more than 3,000 bases.
        ModelError: no such model, or one that cannot read so much context.
        RunError: the output exists, or parts of another run are in the way.
        GenolmError: a plot without the packages that draw it.
    """
    path, picture = check_suffix(out, SUFFIXES), check_plot(plot)
    if picture is not None and shard is not None:
        raise InputError("a plot needs all positions; merge the shards, then plot_mutations(table, plot)")
    fasta = genome if isinstance(genome, Genome) else Genome(genome)
    region = check_interval(interval, fasta)
    check_method(method)
    if picture is not None:
        check_length(len(fasta[region].strip("N")), "plot a shorter interval, or leave the plot out")
    bulk = Bulk(device, dtype, token_budget, resume, overwrite, shard, progress, dry_run)
    opened = bulk.open(model, path)
    single = opened.causal and opened.tokenizer.bases_per_token == 1
    chosen = choose_method(opened, "conditional" if single and method is None else method)
    kind = TokenMutationTask if chosen in TOKEN_METHODS else MutationTask
    task = kind.fit(
        opened, context, HORIZON, source=str(region), genome=fasta.path, method=chosen, rc=rc, on_mismatch="raise",
        genome_iupac=fasta.iupac,
    )  # fmt: skip
    result = bulk.run(task, opened, path)  # type: ignore[arg-type]
    if picture is not None and not dry_run:
        strands = "both strands" if task.rc else "forward strand"
        table = result if path is None else _read(path)
        plot_mutations(table, picture, subtitle=f"{opened.card.name}, {task.method}, {strands}")
    return result


def check_interval(interval: Interval | str, genome: Genome) -> Interval:
    """The interval in the genome's own terms.

    Raises:
        InputError: another strand, a contig that is not there, a part off the contig, no known base.
    """
    given = Interval.parse(interval) if isinstance(interval, str) else interval
    if given.strand == "-":
        raise InputError("mutations are named on the forward strand; rc=True (--rc) reads both", value=str(given))
    place = Interval(genome.resolve(given.chrom), given.start, given.end)
    length = genome.lengths[place.chrom]
    if place.start < 0 or place.end > length:
        raise InputError(f"a part of the interval is off {place.chrom}, which has bases 1-{length:,}", value=str(given))
    if not set(genome[place]) - {"N"}:
        raise InputError("the genome has only N in the interval", value=str(given))
    return place


def _read(path: Path) -> pl.DataFrame:
    if path.suffix.lower() == ".parquet":
        return pl.read_parquet(path, glob=False)
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    return pl.read_csv(path, glob=False, separator=separator, schema_overrides={"chrom": pl.String})
