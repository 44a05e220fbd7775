"""Which bases a prediction listens to: in-silico mutagenesis and gradient × input, beside their nulls."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genolm.arrays import Float32
from genolm.engine.progress import Progress, chosen, hand_over, showing
from genolm.engine.result import Result
from genolm.engine.summary import Summary, write_counts
from genolm.engine.target import check_target, refuse_replacing
from genolm.errors import InputError, ModelError
from genolm.genome.bigwig import write_bigwig
from genolm.genome.fasta import Genome
from genolm.genome.in_memory import Sequences
from genolm.genome.interval import Interval
from genolm.genome.sequences import SequenceRecord
from genolm.models.finite import first_not_finite, not_finite
from genolm.statistics.bootstrap import correlation, estimate, products, rank_correlation
from genolm.tasks.explain.attribution_methods import Objective
from genolm.tasks.explain.attribution_picture import Shown, draw_attribution
from genolm.tasks.explain.explain_folder import can_draw, check_folder
from genolm.tasks.explain.gene_annotation import Annotation, read_annotation
from genolm.tasks.explain.gradients import base_gradients
from genolm.tasks.explain.random_copies import random_weights
from genolm.tasks.explain.region_task import contig, fitting_context, settle_regions
from genolm.tasks.explain.shuffling import shuffled_dinucleotides
from genolm.tasks.explain.substitutions import substitution_effects
from genolm.tasks.reading.bulk import Bulk
from genolm.tasks.reading.sources import IupacPolicy, Source
from genolm.tasks.reading.track_pieces import base_starts, contig_lengths, pieces_in_order
from genolm.tasks.writing.output_folders import Form, save_picture, whole_folder, write_rows
from genolm.tasks.writing.provenance import Provenance

if TYPE_CHECKING:
    import torch

    from genolm.models.model import Model
    from genolm.models.networks.decoder import Decoder

LONGEST = 1000
"""Most bases of a sequence: mutagenesis takes three branches for each."""

DEFAULT_CONTEXT = 128
MOST_PICTURES = 20
METHODS = ("mutagenesis", "gradient")
RUNS = ("model", "shuffled", "random_weights")
"""The model on the sequence; the model on the sequence with its dinucleotides shuffled; a random network on it."""

_BLOCK = 10  # bases resampled together for the interval of a correlation


@dataclass(frozen=True, slots=True)
class Attributed:
    """What one run says of a window of L bases.

    Attributes:
        sequence: its bases.
        effects: objective with each base in place minus the objective, nats, (L, 4); 0 at the reference, NaN at N.
        slopes: derivative of the objective in the weight of each base, nats, (L, 4); NaN at N.
    """

    sequence: str
    effects: Float32
    slopes: Float32

    @property
    def predicted(self) -> Float32:
        """The effects that the gradient predicts, (L, 4): slope of a base minus slope of the reference."""
        own = np.take_along_axis(self.slopes, self._reference()[:, None], 1)
        return np.asarray(self.slopes - own)

    @property
    def mutagenesis(self) -> Float32:
        """Minus the mean effect of the three substitutions, (L,): positive where the base raises the objective."""
        return np.asarray(-self.effects.sum(1) / 3)

    @property
    def gradient(self) -> Float32:
        """The same of the effects that the gradient predicts, (L,): gradient × input, each base against the others."""
        return np.asarray(-self.predicted.sum(1) / 3)

    def _reference(self) -> NDArray[np.int64]:
        """Number of each base; 0 at N, where all values are NaN."""
        return np.array([max(0, "ACGT".find(base)) for base in self.sequence])


@dataclass(frozen=True, slots=True)
class _Explained:
    """A window and its three runs."""

    record: SequenceRecord
    runs: dict[str, Attributed]


def explain_attribution(
    model: Model | str | Path,
    inputs: Sequences,
    out: Path | str | None = None,
    *,
    position: int | None = None,
    genome: Genome | str | Path | None = None,
    length: int | None = None,
    context: int | None = None,
    iupac: IupacPolicy = "raise",
    genes: str | Path | None = None,
    seed: int = 0,
    tables: Form = "tsv",
    device: torch.device | str | None = None,
    dtype: torch.dtype | str | None = None,
    overwrite: bool = False,
    progress: Progress | bool | None = None,
) -> Any:
    """Which bases of a sequence a prediction listens to, by two methods that share nothing but the network.

    The objective is the log-likelihood of the whole sequence (the sum over its bases, nats), or the log-probability of
    the one base at ``position``; probabilities add up to one over A, C, G, T. ``mutagenesis`` puts each other base in
    place and runs the network: minus the mean change of the objective. ``gradient`` is gradient × input of the same
    objective in the one-hot bases, through the embedding and through every table of k-mers, against the mean of the
    other three bases: what mutagenesis would give if the network were linear. Both are positive where a base raises the
    objective.

    Beside them stand the same for the sequence with its dinucleotides shuffled and for a network of the same shape with
    random weights, and the correlation of the two methods in each.

    Args:
        model: a model, or what :func:`genolm.load` takes.
        inputs: a path, a table, a list of sequences or intervals, or one interval as ``chr22:1,001-1,200``; at most
            1,000 bases each.
        out: folder to write: the tables, a bigWig for each method and network, a picture of each of the first 20
            sequences. None returns the tables.
        position: the base whose log-probability is explained, 1-based in the sequence as it is read; None for all.
        genome: FASTA, where the input holds coordinates.
        length: bases to which intervals are resized.
        context: bases of the genome that are read before an interval without being explained; None for 128, or less
            where the contig or the model has less. Sequences have none.
        iupac: for ambiguous letters of sequences: ``raise``, read as ``N``, or ``sample`` a base.
        genes: GTF or GFF3 of genes to draw on top.
        seed: of shuffling and of the random network.
        tables: ``tsv`` or ``parquet``.
        device: where to compute; None for the best there is.
        dtype: precision of the weights; None for what card and device prefer.
        overwrite: replace a folder that an earlier run wrote.
        progress: True for a bar on standard error.

    Returns:
        ``out``, or without one a dict of three polars tables. ``agreement``: ``id``, ``run`` (``model``, ``shuffled``,
        ``random_weights``), ``bases``, ``correlation`` of the two methods (Pearson, with its 95 % interval from blocks
        of 10 bases) and ``rank_correlation``, mean absolute values, and ``correlation_with_model``: of the random
        network's values with the model's. ``positions``: ``id``, ``chrom``, ``start`` (0-based), ``strand``, ``base``,
        each method for each run, ``base_shuffled``. ``substitutions``: for each base put in place the effect, that
        which the gradient predicts, and those of the random network.

    Raises:
        InputError: input that cannot be used, is longer than 1,000 bases, or has no base at ``position``; intervals
            that overlap, where tracks are written.
        ModelError: no such model, or one that cannot read so much.
        RunError: the output exists.
    """
    path = check_folder(out, tables)
    source = settle_regions(inputs, genome=genome, length=length, iupac=iupac)
    drawn = None if genes is None else read_annotation(Path(genes), source)
    if path is not None:
        check_target(path, overwrite=overwrite)
        refuse_replacing((*source.files(), genes), path)
    records = list(source.read() if path is None else pieces_in_order(source))
    _check_records(records, position)
    opened = Bulk(device, dtype).open(model)
    asked = _Asked(opened, source, context, position, seed)
    told = chosen(progress)
    with showing(told, "explain attribution", sum(len(record.sequence) for record in records)):
        explained = []
        for record in records:
            explained.append(asked.explain(record))
            told.advance(len(record.sequence))
    found = tabulate(explained)
    summary = Summary({"sequences": len(records), "bases": sum(len(record.sequence) for record in records)})
    if path is None:
        return found
    with whole_folder(path, asked.described()) as folder:
        for name, table in found.items():
            write_rows([table], folder, name, tables)
        _write_tracks(explained, folder, contig_lengths(source))
        _draw(explained, found["agreement"], asked, drawn, folder)
        write_counts(None, folder, summary)
    hand_over(told, Result(path, None, len(records), 1, 1, summary=summary))
    return path


def _check_records(records: list[SequenceRecord], position: int | None) -> None:
    if not records:
        raise InputError("there are no sequences to explain")
    for record in records:
        if len(record.sequence) > LONGEST:
            raise InputError(
                f"attribution takes at most {LONGEST:,} bases of a sequence, not {len(record.sequence):,}; "
                "--length cuts intervals",
                value=record.id,
            )
        if position is not None and not 1 <= position <= len(record.sequence):
            raise InputError(f"{record.id} has bases 1 to {len(record.sequence):,}", value=position)
        if not set(record.sequence) - {"N"}:
            raise InputError("a sequence with only N cannot be explained", value=record.id)
        if position is not None and record.sequence[position - 1] == "N":
            raise InputError(f"{record.id} has N at the position to explain", value=position)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked of each sequence."""

    model: Model
    source: Source
    context: int | None
    position: int | None
    seed: int

    def explain(self, record: SequenceRecord) -> _Explained:
        """The three runs of one sequence."""
        before = self._before(record)
        shuffled = shuffled_dinucleotides(record.sequence, self.seed)
        twin = random_weights(self.model, self.seed)
        runs = {
            "model": self._run(self.model.decoder, before, record.sequence, record.named),
            "shuffled": self._run(self.model.decoder, before, shuffled, f"{record.named}, shuffled"),
            "random_weights": self._run(twin, before, record.sequence, record.named),
        }
        return _Explained(record, runs)

    @property
    def target(self) -> str:
        """What is explained, in words."""
        return "log-likelihood" if self.position is None else f"log-probability of base {self.position:,}"

    def described(self) -> dict[str, str]:
        """Everything that says how the values were made."""
        return Provenance.of(self.model).described(
            explained=f"attribution of the {self.target}, nats",
            null="dinucleotides shuffled; a network of the same shape with random weights",
            context_bases=DEFAULT_CONTEXT if self.context is None else self.context,
            seed=self.seed,
        )

    def _run(self, network: Decoder, before: str, sequence: str, subject: str) -> Attributed:
        import torch

        tokenizer = self.model.tokenizer
        ids = torch.from_numpy(tokenizer.encode(before + sequence).astype(np.int64)).to(self.model.device)
        objective = self._objective(len(before), len(sequence))
        effects = substitution_effects(network, ids, objective, range(len(before), len(ids)), tokenizer.base_ids)
        slopes = base_gradients(network, ids, objective, tokenizer.base_ids, tokenizer.n_id)[len(before) :]
        known = np.array([base in "ACGT" for base in sequence])
        if first_not_finite(np.concatenate((effects[known], slopes[known]))) is not None:
            raise not_finite(self.model, network=network).about(subject)
        return Attributed(sequence, effects, slopes)

    def _objective(self, context: int, length: int) -> Objective:
        if self.position is None:
            return Objective.of_window(context, length)
        return Objective.of_base(context, length, self.position)

    def _before(self, record: SequenceRecord) -> str:
        """The bases that are read before a sequence."""
        most = fitting_context(self.model, None)
        if len(record.sequence) > most:
            raise ModelError(f"{self.model.card.name} reads {most:,} bases, not the {len(record.sequence):,} asked for")
        wanted = 0 if record.interval is None and self.context is None else self.context
        if record.interval is None or self.source.genome is None:
            if wanted:
                raise InputError("a sequence has no context; give an interval and a genome", value=record.id)
            return ""
        room = most - len(record.sequence)
        if wanted is not None and wanted > room:
            raise ModelError(
                f"a context of {wanted:,} bases and the {len(record.sequence):,} to explain do not fit into the "
                f"{most:,} that {self.model.card.name} reads"
            )
        return upstream(record.interval, min(DEFAULT_CONTEXT, room) if wanted is None else wanted, self.source.genome)


def upstream(interval: Interval, bases: int, path: Path) -> str:
    """At most so many bases before an interval, as its strand reads; fewer at the end of the contig."""
    with Genome(path) as genome:
        length = genome.lengths[genome.resolve(interval.chrom)]
        there = max(0, interval.start) if interval.strand == "+" else max(0, length - interval.end)
        count = min(bases, there)
        if count < 1:
            return ""
        if interval.strand == "+":
            return genome[replace(interval, start=interval.start - count, end=interval.start)]
        return genome[replace(interval, start=interval.end, end=interval.end + count)]


def tabulate(explained: list[_Explained]) -> dict[str, pl.DataFrame]:
    """The three tables of :func:`explain_attribution`."""
    agreement = [row for one in explained for row in _agreement_rows(one)]
    return {
        "agreement": pl.DataFrame(agreement, schema=_AGREEMENT, orient="row"),
        "positions": pl.concat([_positions(one) for one in explained]),
        "substitutions": pl.concat([_substitutions(one) for one in explained]),
    }


_AGREEMENT: dict[str, Any] = {
    "id": pl.String,
    "run": pl.String,
    "bases": pl.Int64,
    **dict.fromkeys(
        ("correlation", "correlation_low", "correlation_high", "rank_correlation", "mean_absolute_mutagenesis",
         "mean_absolute_gradient", "mutagenesis_correlation_with_model", "gradient_correlation_with_model"),
        pl.Float64,
    ),
}  # fmt: skip


def _agreement_rows(one: _Explained) -> Iterator[tuple[Any, ...]]:
    real = one.runs["model"]
    for name, run in one.runs.items():
        pair = run.mutagenesis.astype(np.float64), run.gradient.astype(np.float64)
        r = estimate(products(*pair, block=_BLOCK), correlation)
        sizes = [float(np.nanmean(np.abs(values))) for values in pair]
        others: list[float] = [math.nan, math.nan]
        if name == "random_weights":
            others = [_pearson(real.mutagenesis, run.mutagenesis), _pearson(real.gradient, run.gradient)]
        numbers = (*r, rank_correlation(*pair), *sizes, *others)
        known = int((~np.isnan(pair[0])).sum())
        yield one.record.id, name, known, *(None if math.isnan(value) else value for value in numbers)


def _pearson(x: Float32, y: Float32) -> float:
    return float(correlation(products(x, y, block=max(1, len(x))))[0])


def _places(record: SequenceRecord) -> dict[str, Any]:
    count = len(record.sequence)
    strand = record.interval.strand if record.interval else "+"
    return {
        "id": [record.id] * count,
        "chrom": [contig(record)] * count,
        "start": base_starts(record),
        "strand": [strand] * count,
        "base": list(record.sequence),
    }


def _positions(one: _Explained) -> pl.DataFrame:
    columns = _places(one.record)
    for name, run in one.runs.items():
        for method in METHODS:
            ending = "" if name == "model" else f"_{name}"
            columns[f"{method}{ending}"] = pl.Series(getattr(run, method), dtype=pl.Float32).fill_nan(None)
    columns["base_shuffled"] = list(one.runs["shuffled"].sequence)
    return pl.DataFrame(columns)


def _substitutions(one: _Explained) -> pl.DataFrame:
    """Three rows for each known base."""
    places = pl.DataFrame(_places(one.record))
    numbers = np.arange(4 * len(places))
    values = {"": one.runs["model"], "_random_weights": one.runs["random_weights"]}
    columns: dict[str, Any] = {"put": [("A", "C", "G", "T")[number % 4] for number in numbers]}
    for ending, run in values.items():
        columns[f"effect_nats{ending}"] = pl.Series(run.effects.ravel(), dtype=pl.Float32)
        columns[f"effect_by_gradient_nats{ending}"] = pl.Series(run.predicted.ravel(), dtype=pl.Float32)
    frame = places[numbers // 4].hstack(pl.DataFrame(columns))
    return frame.filter((pl.col("put") != pl.col("base")) & (pl.col("base") != "N"))


def _write_tracks(explained: list[_Explained], folder: Path, lengths: dict[str, int]) -> None:
    """A bigWig for each method and network; the shuffled sequence lies nowhere on the genome."""
    for name in ("model", "random_weights"):
        for method in METHODS:
            pieces = ((one, getattr(one.runs[name], method)) for one in explained)
            ending = "" if name == "model" else f"_{name}"
            write_bigwig(
                folder / f"{method}{ending}.bw", lengths, (_piece(one.record, v, lengths) for one, v in pieces)
            )


def _piece(record: SequenceRecord, values: Float32, lengths: dict[str, int]) -> tuple[str, int, Float32]:
    start = int(base_starts(record).min())
    forward = values[::-1] if record.interval and record.interval.strand == "-" else values
    first, last = max(0, -start), lengths[contig(record)] - start
    return contig(record), start + first, forward[first:last].astype(np.float32)


def _draw(
    explained: list[_Explained], agreement: pl.DataFrame, asked: _Asked, drawn: Annotation | None, folder: Path
) -> None:
    if not can_draw():
        return
    rows = agreement.select("id", "run", "correlation").rows()
    for number, one in enumerate(explained[:MOST_PICTURES], start=1):
        own = rows[(number - 1) * len(RUNS) : number * len(RUNS)]
        correlations = {run: r for _, run, r in own}
        starts = base_starts(one.record)
        low, high = int(starts.min()), int(starts.max()) + 1
        strand = one.record.interval.strand if one.record.interval else "+"
        genes = [] if drawn is None else drawn.genes(contig(one.record), low, high)
        shown = Shown(one.record.id, contig(one.record), low, strand, asked.model.card.name, asked.target, genes)
        save_picture(draw_attribution(shown, one.runs, correlations), folder / f"sequence{number:02d}.png")
