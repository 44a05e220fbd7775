"""Attribution."""

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
"""Most bases of a sequence: mutagenesis takes three branches for each."""


DEFAULT_CONTEXT = 128


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


def shuffled_dinucleotides(sequence: str, seed: int) -> str:
    """A random sequence with exactly the dinucleotide counts, and so the first and last letter, of the given one.

    A sequence is a walk over its letters. Of each letter but the last one visited, one departure is chosen to be the
    last, so that these lead to the walk's end from everywhere; all other departures are shuffled, and the new walk
    takes them in turn.
    """
    if len(sequence) < 3:
        return sequence
    random = np.random.default_rng(seed)
    departures: dict[str, list[str]] = defaultdict(list)
    for one, other in pairwise(sequence):
        departures[one].append(other)
    last = _last_departures(departures, sequence[-1], random)
    for letter, others in departures.items():
        if letter in last:
            others.remove(last[letter])
        departures[letter] = [others[place] for place in random.permutation(len(others))]
        if letter in last:
            departures[letter].append(last[letter])
    walk = [sequence[0]]
    taken: dict[str, int] = defaultdict(int)
    for _ in range(len(sequence) - 1):
        here = walk[-1]
        walk.append(departures[here][taken[here]])
        taken[here] += 1
    return "".join(walk)


def _last_departures(departures: dict[str, list[str]], end: str, random: np.random.Generator) -> dict[str, str]:
    """For each letter but the end a departure, drawn until all of them lead there."""
    while True:
        last = {letter: others[random.integers(len(others))] for letter, others in departures.items() if letter != end}
        if all(_leads(letter, end, last) for letter in last):
            return last


def _leads(letter: str, end: str, last: dict[str, str]) -> bool:
    for _ in range(len(last)):
        letter = last[letter]
        if letter == end:
            return True
    return False
