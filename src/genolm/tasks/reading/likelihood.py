"""Likelihood task of the engine: log-probabilities of tokens as scores of sequences, bases or tracks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genolm.arrays import Float32
from genolm.engine.summary import Summary
from genolm.engine.windows import Window, cut
from genolm.genome.sequence import reverse_complement
from genolm.genome.sequences import SequenceRecord
from genolm.remedies import Notice
from genolm.tasks.reading.log_probabilities import Normalisation
from genolm.tasks.reading.scored_spans import (
    Scored,
    StrandOrigin,
    joined_spans,
    kept_tokens,
    mean_of_strands,
    token_lengths,
)
from genolm.tasks.reading.sources import Source, coordinates, further_of
from genolm.tasks.reading.token_scores import causal_scores, masked_scores
from genolm.tasks.reading.track_pieces import base_starts, contig_lengths, pieces_in_order
from genolm.tasks.writing.provenance import Provenance, provenance_files
from genolm.tasks.writing.table_files import write_table
from genolm.tasks.writing.track_files import track_rows, write_track

if TYPE_CHECKING:
    from genolm.models.model import Model


Form = Literal["sequence", "base", "track"]
"""Rows per sequence, rows per base, or values along a genome."""


@dataclass(frozen=True, slots=True)
class ScoreTask:
    """Scoring of sequences; made by :func:`genolm.score`.

    Attributes:
        source: the sequences.
        form: kind of the rows.
        rc: average both strands.
        normalise: set over which probabilities sum to one.
        passes: number of masked passes of an encoder; 0 for a decoder.
        context: maximum length of a window in bases.
        bases_per_token: mean token length of the tokenizer in bases.
        provenance: the model.
    """

    source: Source
    form: Form
    rc: bool
    normalise: Normalisation
    passes: int
    context: int
    bases_per_token: float
    provenance: Provenance
    name: ClassVar[str] = "score"
    unit: ClassVar[str] = "sequences"

    def items(self) -> Iterator[SequenceRecord]:
        """Return the sequences; for a track sorted by genome position."""
        return pieces_in_order(self.source) if self.form == "track" else self.source.read()

    def inputs(self) -> tuple[Path, ...]:
        """Return the input files."""
        return self.source.files()

    def cost(self, item: SequenceRecord) -> int:
        """Return the approximate number of tokens."""
        bases = len(item.sequence) * (2 if self.rc else 1) * max(1, self.passes)
        overlap_factor = 1 / (1 - self._overlap) if len(item.sequence) > self.context else 1
        return math.ceil(bases * overlap_factor / self.bases_per_token)

    def windows(self, items: Sequence[SequenceRecord], model: Model) -> list[Window[StrandOrigin]]:
        """Return overlapping windows of at most the context."""
        windows = []
        for number, item in enumerate(items):
            windows += cut(item.sequence, model, self.context, overlap=self._overlap, origin=(number, False))
            if self.rc:
                reverse = reverse_complement(item.sequence)
                windows += cut(reverse, model, self.context, overlap=self._overlap, origin=(number, True))
        return windows

    def forward(self, model: Model, windows: Sequence[Window[StrandOrigin]]) -> list[Float32]:
        """Return the log-probability of each token of each window."""
        if self.passes:
            return masked_scores(model, windows, self.passes)
        return causal_scores(model, windows, self.normalise)

    def subject(self, items: Sequence[SequenceRecord], window: Window[StrandOrigin], part: int) -> str:
        """Return a description of the sequence of a window, for messages."""
        return items[window.origin[0]].named

    def rows(
        self, items: Sequence[SequenceRecord], windows: Sequence[Window[StrandOrigin]], outputs: Sequence[Float32]
    ) -> pl.DataFrame:
        """Return a row for each sequence, base or interval of a track."""
        strands: dict[tuple[int, bool], list[Scored]] = {}
        for window, own, output in zip(windows, kept_tokens(windows, masked=self.passes > 0), outputs):
            strands.setdefault(window.origin, []).append(Scored(output[own], token_lengths(window)[own]))
        joined = {origin: joined_spans(pieces) for origin, pieces in strands.items()}
        values = [self._per_base(joined, number) for number in range(len(items))]
        if self.form == "track":
            return track_rows(items, values)
        if self.form == "base":
            return self._base_rows(list(items), values)
        return self._sequence_rows(list(items), values, joined)

    def side_files(self, out: Path) -> tuple[Path, ...]:
        """Return the side files of an output."""
        return provenance_files(out)

    def assemble(self, frames: Iterator[pl.DataFrame], out: Path) -> None:
        """Write a table or a track."""
        if self.form == "track":
            write_track(frames, out, contig_lengths(self.source), self.metadata())
        else:
            write_table(frames, out, self.metadata())

    def collect(self, frames: Iterator[pl.DataFrame]) -> pl.DataFrame:
        """Return the table."""
        return pl.concat(list(frames))

    def count(self, rows: pl.DataFrame) -> Summary:
        """Count sequences with and without a score, bases and scored bases."""
        of_sequences = self._counted(rows)
        scored = of_sequences.filter(pl.col("scored") > 0).height
        return Summary(
            {"sequences": of_sequences.height},
            {"scored": scored, UNSCORED: of_sequences.height - scored},
            {"bases": int(of_sequences["bases"].sum()), "bases scored": int(of_sequences["scored"].sum())},
            {UNSCORED: Notice("no base is preceded by a known base, or no token consists of A, C, G and T")},
        )

    def _counted(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return the numbers of ``bases`` and of ``scored`` bases of each sequence."""
        if self.form == "sequence":
            return rows.select(bases="length", scored="scored_bases")
        if self.form == "track":
            values = pl.col("values")
            finite = values.list.eval(pl.element().is_not_nan() & pl.element().is_not_null())
            return rows.select(bases=values.list.len(), scored=finite.list.sum())
        sequence = (pl.col("position") == 0).cum_sum().alias("sequence")
        score = pl.col(self.score_column)
        return rows.group_by(sequence, maintain_order=True).agg(bases=pl.len(), scored=score.is_not_null().sum())

    def metadata(self) -> dict[str, str]:
        """Return model and settings for the provenance."""
        masked = {"masked_passes": self.passes} if self.passes else {}
        return self.provenance.entries(
            strands=self._strands, normalised_over=self.normalise, context_bases=self.context, **masked
        )

    @property
    def score_column(self) -> str:
        """Column name of the score: the sum over a sequence, or the log-probability of a base."""
        if self.form != "sequence":
            return MASKED_PER_BASE if self.passes else PER_BASE
        return f"{self._pseudo}log_likelihood_sum_nats"

    @property
    def schema(self) -> dict[str, type[pl.DataType]]:
        """Types of the columns of a table, without those of an input table."""
        if self.form != "sequence":
            return {**_POSITIONS, self.score_column: pl.Float32}
        return {**_TYPES, **{f"{self._pseudo}{name}": pl.Float64 for name in _SCORES}}

    @property
    def _pseudo(self) -> str:
        return "pseudo_" if self.passes else ""

    @property
    def _strands(self) -> str:
        return "both" if self.rc else "forward"

    @property
    def _overlap(self) -> float:
        """Fraction of a window that the next window repeats; half for a decoder, which has context on the left only."""
        return 0.25 if self.passes else 0.5

    def _per_base(self, strands: dict[tuple[int, bool], Scored], number: int) -> Float32:
        forward = strands[number, False].per_base()
        if not self.rc:
            return forward
        return mean_of_strands(forward, strands[number, True].per_base()[::-1])

    def _sequence_rows(
        self, items: list[SequenceRecord], values: list[Float32], strands: dict[tuple[int, bool], Scored]
    ) -> pl.DataFrame:
        counts = [int(np.count_nonzero(~np.isnan(bases))) for bases in values]
        sums = [float(np.nansum(bases, dtype=np.float64)) if count else None for bases, count in zip(values, counts)]
        means = [None if total is None else total / count for total, count in zip(sums, counts)]
        pseudo = self._pseudo
        columns = {
            **coordinates(items, self.source.kind),
            "length": [len(item.sequence) for item in items],
            "scored_bases": counts,
            f"{pseudo}log_likelihood_sum_nats": sums,
            f"{pseudo}log_likelihood_mean_nats_per_base": means,
            f"{pseudo}bits_per_base": [None if mean is None else -mean / math.log(2) for mean in means],
            **(self._token_columns(len(items), strands, pseudo) if self.bases_per_token != 1 else {}),
            "strands": [self._strands] * len(items),
        }
        table = pl.DataFrame(columns, schema={name: _TYPES.get(name, pl.Float64) for name in columns})
        return table.with_columns(**further_of(items, self.source))

    def _token_columns(self, count: int, strands: dict[tuple[int, bool], Scored], pseudo: str) -> dict[str, list[Any]]:
        """Return the number of scored tokens of all strands, and their mean log-probability."""
        scored, means = [], []
        for number in range(count):
            directions = (False, True) if self.rc else (False,)
            values = np.concatenate([strands[number, reverse].values_T for reverse in directions])
            scored.append(int(np.count_nonzero(~np.isnan(values))))
            means.append(float(np.nansum(values, dtype=np.float64)) / scored[-1] if scored[-1] else None)
        return {"scored_tokens": scored, f"{pseudo}log_likelihood_mean_nats_per_token": means}

    def _base_rows(self, items: list[SequenceRecord], values: list[Float32]) -> pl.DataFrame:
        owners = np.repeat(np.arange(len(items)), [len(bases) for bases in values])
        table = pl.DataFrame({"id": [item.id for item in items]}, schema={"id": pl.String})[owners]
        if self.source.kind == "intervals":
            starts = _concatenated([base_starts(item) for item in items], np.int64)
            table = table.with_columns(_contigs_and_strands(items)[owners], start=pl.Series(starts))
            table = table.select("id", "chrom", "start", "strand")
        letters = _concatenated([np.frombuffer(item.sequence.encode(), "S1") for item in items], "S1")
        return table.with_columns(
            position=pl.Series(_concatenated([np.arange(len(bases)) for bases in values], np.int64)),
            base=pl.Series(letters.astype("U1").tolist(), dtype=pl.String),
            **{self.score_column: pl.Series(_concatenated(values, np.float32), nan_to_null=True)},
        )


PER_BASE = "log_probability_nats"


MASKED_PER_BASE = "masked_log_probability_nats"


UNSCORED = "without a score"


_TYPES: dict[str, type[pl.DataType]] = {
    **dict.fromkeys(("id", "chrom", "strand", "strands"), pl.String),
    **dict.fromkeys(("start", "end", "length", "scored_bases", "scored_tokens"), pl.Int64),
}


_POSITIONS: dict[str, type[pl.DataType]] = {
    **dict.fromkeys(("id", "chrom", "strand", "base"), pl.String),
    **dict.fromkeys(("start", "position"), pl.Int64),
}


_SCORES = (
    "log_likelihood_sum_nats",
    "log_likelihood_mean_nats_per_base",
    "log_likelihood_mean_nats_per_token",
    "bits_per_base",
)


OUTPUT_COLUMNS = frozenset((*_TYPES, *_SCORES, *(f"pseudo_{name}" for name in _SCORES)))
"""Column names of tables with scores of sequences."""


def _concatenated(arrays: Sequence[NDArray[Any]], dtype: Any) -> NDArray[Any]:
    return np.concatenate([*arrays, np.empty(0, dtype)]).astype(dtype)


def _contigs_and_strands(items: list[SequenceRecord]) -> pl.DataFrame:
    """Return the contig and strand of each sequence, null if it has none."""
    values = {name: [getattr(item.interval, name, None) for item in items] for name in ("chrom", "strand")}
    return pl.DataFrame(values, schema={"chrom": pl.String, "strand": pl.String})
