"""Attributions of one sequence: the model's, the shuffled sequence's and the random network's; tables and tracks.

L bases.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genolm.arrays import Float32
from genolm.errors import InputError, ModelError
from genolm.genome.bigwig import write_bigwig
from genolm.genome.fasta import Genome
from genolm.genome.interval import Interval
from genolm.genome.sequences import SequenceRecord
from genolm.models.finite import first_not_finite, not_finite
from genolm.statistics.bootstrap import correlation, estimate, products, rank_correlation
from genolm.tasks.explain.attribution_methods import Objective, base_gradients, substitution_effects
from genolm.tasks.explain.random_copies import random_weights
from genolm.tasks.explain.region_task import contig, fitting_context
from genolm.tasks.reading.sources import Source
from genolm.tasks.reading.track_pieces import base_starts
from genolm.tasks.writing.provenance import Provenance

if TYPE_CHECKING:
    from genolm.models.model import Model
    from genolm.models.networks.decoder import Decoder

LONGEST = 1000
"""Maximum length of a sequence in bases: mutagenesis runs three branches for each."""

DEFAULT_CONTEXT = 128

METHODS = ("mutagenesis", "gradient")

RUNS = ("model", "shuffled", "random_weights")
"""Model on the sequence; model on the dinucleotide-shuffled sequence; random network on the sequence."""

_BLOCK = 10  # bases per block of the bootstrap of correlations


@dataclass(frozen=True, slots=True)
class Attributed:
    """Substitution effects and gradients of one run over a window of L bases.

    Attributes:
        sequence: bases of the window.
        effects: objective with each base substituted minus the objective, nats, (L, 4); 0 at the reference, NaN at N.
        slopes: derivative of the objective in the weight of each base, nats, (L, 4); NaN at N.
    """

    sequence: str
    effects: Float32
    slopes: Float32

    @property
    def predicted(self) -> Float32:
        """Effects predicted by the gradient, (L, 4): slope of a base minus slope of the reference."""
        reference = np.take_along_axis(self.slopes, self._reference()[:, None], 1)
        return np.asarray(self.slopes - reference)

    @property
    def mutagenesis(self) -> Float32:
        """Minus the mean effect of the three substitutions, (L,): positive if the base raises the objective."""
        return np.asarray(-self.effects.sum(1) / 3)

    @property
    def gradient(self) -> Float32:
        """Minus the mean predicted effect of the three substitutions, (L,): gradient × input."""
        return np.asarray(-self.predicted.sum(1) / 3)

    def _reference(self) -> NDArray[np.int64]:
        """Return the index of each base in ACGT; 0 at N, where all values are NaN."""
        return np.array([max(0, "ACGT".find(base)) for base in self.sequence])


@dataclass(frozen=True, slots=True)
class Explained:
    """A sequence and its three runs."""

    record: SequenceRecord
    runs: dict[str, Attributed]


@dataclass(frozen=True, slots=True)
class AttributionRun:
    """Model, objective and nulls of an attribution.

    Attributes:
        model: the model.
        source: the sequences.
        context: requested bases before each interval; None for the default.
        position: base to explain, 1-based; None for all bases.
        seed: random seed of the nulls.
    """

    model: Model
    source: Source
    context: int | None
    position: int | None
    seed: int

    def explain(self, record: SequenceRecord) -> Explained:
        """Compute the three runs of one sequence."""
        before = self._before(record)
        shuffled = shuffled_dinucleotides(record.sequence, self.seed)
        untrained = random_weights(self.model, self.seed)
        runs = {
            "model": self._run(self.model.decoder, before, record.sequence, record.named),
            "shuffled": self._run(self.model.decoder, before, shuffled, f"{record.named}, shuffled"),
            "random_weights": self._run(untrained, before, record.sequence, record.named),
        }
        return Explained(record, runs)

    @property
    def target(self) -> str:
        """The objective, in words."""
        return "log-likelihood" if self.position is None else f"log-probability of base {self.position:,}"

    def described(self) -> dict[str, str]:
        """Return the provenance of the values."""
        return Provenance.of(self.model).entries(
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
        """Return the bases to read before a sequence."""
        limit = fitting_context(self.model, None)
        if len(record.sequence) > limit:
            raise ModelError(
                f"{self.model.card.name} reads at most {limit:,} bases, got {len(record.sequence):,}",
                code="context-exceeded",
            )
        requested = 0 if record.interval is None and self.context is None else self.context
        if record.interval is None or self.source.genome is None:
            if requested:
                raise InputError("context requires an interval and a genome, got a sequence", value=record.id)
            return ""
        available = limit - len(record.sequence)
        if requested is not None and requested > available:
            raise ModelError(
                f"a context of {requested:,} bases and {len(record.sequence):,} bases to explain exceed the "
                f"{limit:,} bases that {self.model.card.name} reads",
                code="context-exceeded",
            )
        return upstream(
            record.interval, min(DEFAULT_CONTEXT, available) if requested is None else requested, self.source.genome
        )


def upstream(interval: Interval, bases: int, path: Path) -> str:
    """Return up to ``bases`` bases before an interval on its strand; fewer at the end of the contig."""
    with Genome(path) as genome:
        length = genome.lengths[genome.resolve(interval.chrom)]
        available = max(0, interval.start) if interval.strand == "+" else max(0, length - interval.end)
        count = min(bases, available)
        if count < 1:
            return ""
        if interval.strand == "+":
            return genome[replace(interval, start=interval.start - count, end=interval.start)]
        return genome[replace(interval, start=interval.end, end=interval.end + count)]


def tabulate(explained: list[Explained]) -> dict[str, pl.DataFrame]:
    """Return the three tables of :func:`explain_attribution`."""
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


def _agreement_rows(one: Explained) -> Iterator[tuple[Any, ...]]:
    real = one.runs["model"]
    for name, run in one.runs.items():
        pair = run.mutagenesis.astype(np.float64), run.gradient.astype(np.float64)
        r = estimate(products(*pair, block=_BLOCK), correlation)
        sizes = [float(np.nanmean(np.abs(values))) for values in pair]
        with_model: list[float] = [math.nan, math.nan]
        if name == "random_weights":
            with_model = [_pearson(real.mutagenesis, run.mutagenesis), _pearson(real.gradient, run.gradient)]
        numbers = (*r, rank_correlation(*pair), *sizes, *with_model)
        known = int((~np.isnan(pair[0])).sum())
        yield one.record.id, name, known, *(None if math.isnan(value) else value for value in numbers)


def _pearson(x: Float32, y: Float32) -> float:
    return float(correlation(products(x, y, block=max(1, len(x))))[0])


def _location_columns(record: SequenceRecord) -> dict[str, Any]:
    count = len(record.sequence)
    strand = record.interval.strand if record.interval else "+"
    return {
        "id": [record.id] * count,
        "chrom": [contig(record)] * count,
        "start": base_starts(record),
        "strand": [strand] * count,
        "base": list(record.sequence),
    }


def _positions(one: Explained) -> pl.DataFrame:
    columns = _location_columns(one.record)
    for name, run in one.runs.items():
        for method in METHODS:
            ending = "" if name == "model" else f"_{name}"
            columns[f"{method}{ending}"] = pl.Series(getattr(run, method), dtype=pl.Float32).fill_nan(None)
    columns["base_shuffled"] = list(one.runs["shuffled"].sequence)
    return pl.DataFrame(columns)


def _substitutions(one: Explained) -> pl.DataFrame:
    """Return three rows for each base other than N."""
    locations = pl.DataFrame(_location_columns(one.record))
    numbers = np.arange(4 * len(locations))
    values = {"": one.runs["model"], "_random_weights": one.runs["random_weights"]}
    columns: dict[str, Any] = {"put": [("A", "C", "G", "T")[number % 4] for number in numbers]}
    for ending, run in values.items():
        columns[f"effect_nats{ending}"] = pl.Series(run.effects.ravel(), dtype=pl.Float32)
        columns[f"effect_by_gradient_nats{ending}"] = pl.Series(run.predicted.ravel(), dtype=pl.Float32)
    frame = locations[numbers // 4].hstack(pl.DataFrame(columns))
    return frame.filter((pl.col("put") != pl.col("base")) & (pl.col("base") != "N"))


def write_tracks(explained: list[Explained], folder: Path, lengths: dict[str, int]) -> None:
    """Write a bigWig file for each method and network; the shuffled sequence has no genomic coordinates."""
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


def shuffled_dinucleotides(sequence: str, seed: int) -> str:
    """Return a random sequence with the dinucleotide counts, and so the first and last letter, of the given one.

    The method is that of Altschul and Erickson (1985). A sequence is a walk over its letters. For each letter but the
    final one, one outgoing step is chosen to be the last, so that these last steps lead to the final letter from
    everywhere; the other steps are shuffled, and the new walk takes them in turn.
    """
    if len(sequence) < 3:
        return sequence
    random = np.random.default_rng(seed)
    steps: dict[str, list[str]] = defaultdict(list)
    for one, other in pairwise(sequence):
        steps[one].append(other)
    last = _last_steps(steps, sequence[-1], random)
    for letter, others in steps.items():
        if letter in last:
            others.remove(last[letter])
        steps[letter] = [others[index] for index in random.permutation(len(others))]
        if letter in last:
            steps[letter].append(last[letter])
    walk = [sequence[0]]
    taken: dict[str, int] = defaultdict(int)
    for _ in range(len(sequence) - 1):
        here = walk[-1]
        walk.append(steps[here][taken[here]])
        taken[here] += 1
    return "".join(walk)


def _last_steps(steps: dict[str, list[str]], end: str, random: np.random.Generator) -> dict[str, str]:
    """Choose a last step for each letter but the end, at random until all of them lead to the end."""
    while True:
        last = {letter: others[random.integers(len(others))] for letter, others in steps.items() if letter != end}
        if all(_leads(letter, end, last) for letter in last):
            return last


def _leads(letter: str, end: str, last: dict[str, str]) -> bool:
    for _ in range(len(last)):
        letter = last[letter]
        if letter == end:
            return True
    return False
