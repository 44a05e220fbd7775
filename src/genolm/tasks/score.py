"""Log-likelihood of sequences under a model, whole or base by base."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genolm.arrays import Float32
from genolm.engine.progress import Progress
from genolm.engine.summary import Summary
from genolm.engine.windows import Window, cut
from genolm.errors import InputError
from genolm.genome.contig_lengths import warn_of_lengths
from genolm.genome.in_memory import Sequences
from genolm.genome.sequence import reverse_complement
from genolm.genome.sequences import SequenceRecord
from genolm.tasks.reading.bulk import Bulk
from genolm.tasks.reading.log_probabilities import Normalisation
from genolm.tasks.reading.model_limits import context_bases
from genolm.tasks.reading.scored_spans import Scored, joined_stretches, mean_of_strands, own_tokens, token_lengths
from genolm.tasks.reading.sources import IupacPolicy, Source, coordinates, further_of, settle
from genolm.tasks.reading.token_scores import causal_scores, masked_scores, normalisation_of, passes_of
from genolm.tasks.reading.track_pieces import base_starts, contig_lengths, pieces_in_order
from genolm.tasks.writing.provenance import Provenance, records_beside
from genolm.tasks.writing.table_files import SUFFIXES, check_suffix, write_table
from genolm.tasks.writing.track_files import TRACK_SUFFIXES, track_rows, write_track

if TYPE_CHECKING:
    import torch

    from genolm.genome.fasta import Genome
    from genolm.models.model import Model

Form = Literal["sequence", "base", "track"]
"""A row for each sequence, a row for each base, or values along a genome."""


@dataclass(frozen=True, slots=True)
class ScoreTask:
    """Scoring as the engine runs it; :func:`score` makes one.

    Attributes:
        source: the sequences.
        form: what the rows are.
        rc: average with the other strand.
        normalise: what probabilities add up to one over.
        passes: of an encoder, each with other tokens masked; 0 for a decoder, which needs none.
        context: most bases of one window.
        bases_per_token: of the model's tokenizer, on average.
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
        """The sequences; for a track in the order of the genome."""
        return pieces_in_order(self.source) if self.form == "track" else self.source.read()

    def inputs(self) -> tuple[Path, ...]:
        """The files that are read."""
        return self.source.files()

    def cost(self, item: SequenceRecord) -> int:
        """Tokens that go through the model, about."""
        bases = len(item.sequence) * (2 if self.rc else 1) * max(1, self.passes)
        again = 1 / (1 - self._overlap) if len(item.sequence) > self.context else 1
        return math.ceil(bases * again / self.bases_per_token)

    def windows(self, items: Sequence[SequenceRecord], model: Model) -> list[Window]:
        """Windows of the context, each beginning some way before the last one's end."""
        windows = []
        for number, item in enumerate(items):
            windows += cut(item.sequence, model, self.context, overlap=self._overlap, origin=(number, False))
            if self.rc:
                reverse = reverse_complement(item.sequence)
                windows += cut(reverse, model, self.context, overlap=self._overlap, origin=(number, True))
        return windows

    def forward(self, model: Model, windows: Sequence[Window]) -> list[Float32]:
        """The log-probability of every token of every window."""
        if self.passes:
            return masked_scores(model, windows, self.passes)
        return causal_scores(model, windows, self.normalise)

    def subject(self, items: Sequence[SequenceRecord], window: Window, part: int) -> str:
        """The sequence of a window, in words."""
        return items[window.origin[0]].named

    def rows(
        self, items: Sequence[SequenceRecord], windows: Sequence[Window], outputs: Sequence[Float32]
    ) -> pl.DataFrame:
        """A row for each sequence, or for each base, or for each piece of a track."""
        strands: dict[tuple[int, bool], list[Scored]] = {}
        for window, own, output in zip(windows, own_tokens(windows, masked=self.passes > 0), outputs):
            strands.setdefault(window.origin, []).append(Scored(output[own], token_lengths(window)[own]))
        joined = {origin: joined_stretches(pieces) for origin, pieces in strands.items()}
        values = [self._per_base(joined, number) for number in range(len(items))]
        if self.form == "track":
            return track_rows(items, values)
        if self.form == "base":
            return self._base_rows(list(items), values)
        return self._sequence_rows(list(items), values, joined)

    def side_files(self, out: Path) -> tuple[Path, ...]:
        """The files that are written beside the output."""
        return records_beside(out)

    def assemble(self, frames: Iterator[pl.DataFrame], out: Path) -> None:
        """Writes a table or a track."""
        if self.form == "track":
            write_track(frames, out, contig_lengths(self.source), self.metadata())
        else:
            write_table(frames, out, self.metadata())

    def collect(self, frames: Iterator[pl.DataFrame]) -> pl.DataFrame:
        """The table."""
        return pl.concat(list(frames))

    def count(self, rows: pl.DataFrame) -> Summary:
        """Sequences with and without a score, their bases, and how many of these were scored."""
        of_sequences = self._counted(rows)
        scored = of_sequences.filter(pl.col("scored") > 0).height
        return Summary(
            {"sequences": of_sequences.height},
            {"scored": scored, UNSCORED: of_sequences.height - scored},
            {"bases": int(of_sequences["bases"].sum()), "bases scored": int(of_sequences["scored"].sum())},
            {UNSCORED: "no base has a known base before it, or no token is made of A, C, G and T alone"},
        )

    def _counted(self, rows: pl.DataFrame) -> pl.DataFrame:
        """A row for each sequence: its ``bases``, and how many are ``scored``."""
        if self.form == "sequence":
            return rows.select(bases="length", scored="scored_bases")
        if self.form == "track":
            values = pl.col("values")
            finite = values.list.eval(pl.element().is_not_nan() & pl.element().is_not_null())
            return rows.select(bases=values.list.len(), scored=finite.list.sum())
        begins = (pl.col("position") == 0).cum_sum().alias("sequence")
        score = pl.col(MASKED_PER_BASE if self.passes else PER_BASE)
        return rows.group_by(begins, maintain_order=True).agg(bases=pl.len(), scored=score.is_not_null().sum())

    def metadata(self) -> dict[str, str]:
        """Everything that says how the scores were made."""
        masked = {"masked_passes": self.passes} if self.passes else {}
        return self.provenance.described(
            strands=self._strands, normalised_over=self.normalise, context_bases=self.context, **masked
        )

    @property
    def _strands(self) -> str:
        return "both" if self.rc else "forward"

    @property
    def _overlap(self) -> float:
        """Part of a window that the next one repeats: a decoder's has half a context on the left of what it scores."""
        return 0.25 if self.passes else 0.5

    def _per_base(self, strands: dict[tuple[int, bool], Scored], number: int) -> Float32:
        forward = strands[number, False].per_base()
        if not self.rc:
            return forward
        return mean_of_strands(forward, strands[number, True].per_base()[::-1])

    def _sequence_rows(
        self, items: list[SequenceRecord], values: list[Float32], strands: dict[tuple[int, bool], Scored]
    ) -> pl.DataFrame:
        counts = [int(np.count_nonzero(~np.isnan(one))) for one in values]
        sums = [float(np.nansum(one, dtype=np.float64)) if count else None for one, count in zip(values, counts)]
        means = [None if total is None else total / count for total, count in zip(sums, counts)]
        pseudo = "pseudo_" if self.passes else ""
        columns = {
            **coordinates(items, self.source.kind),
            "length": [len(item.sequence) for item in items],
            "scored_bases": counts,
            f"{pseudo}log_likelihood_sum_nats": sums,
            f"{pseudo}log_likelihood_mean_nats_per_base": means,
            f"{pseudo}bits_per_base": [None if mean is None else -mean / math.log(2) for mean in means],
            **(self._of_tokens(len(items), strands, pseudo) if self.bases_per_token != 1 else {}),
            "strands": [self._strands] * len(items),
        }
        table = pl.DataFrame(columns, schema={name: _TYPES.get(name, pl.Float64) for name in columns})
        return table.with_columns(**further_of(items, self.source))

    def _of_tokens(self, count: int, strands: dict[tuple[int, bool], Scored], pseudo: str) -> dict[str, list[Any]]:
        """How many tokens of both strands were scored, and their mean."""
        scored, means = [], []
        for number in range(count):
            own = [strands[number, reverse].values_T for reverse in ((False, True) if self.rc else (False,))]
            values = np.concatenate(own)
            scored.append(int(np.count_nonzero(~np.isnan(values))))
            means.append(float(np.nansum(values, dtype=np.float64)) / scored[-1] if scored[-1] else None)
        return {"scored_tokens": scored, f"{pseudo}log_likelihood_mean_nats_per_token": means}

    def _base_rows(self, items: list[SequenceRecord], values: list[Float32]) -> pl.DataFrame:
        owners = np.repeat(np.arange(len(items)), [len(one) for one in values])
        about = pl.DataFrame({"id": [item.id for item in items]}, schema={"id": pl.String})[owners]
        if self.source.kind == "intervals":
            starts = _concatenated([base_starts(item) for item in items], np.int64)
            about = about.with_columns(_names(items)[owners], start=pl.Series(starts))
            about = about.select("id", "chrom", "start", "strand")
        letters = _concatenated([np.frombuffer(item.sequence.encode(), "S1") for item in items], "S1")
        return about.with_columns(
            position=pl.Series(_concatenated([np.arange(len(one)) for one in values], np.int64)),
            base=pl.Series(letters.astype("U1").tolist(), dtype=pl.String),
            **{
                MASKED_PER_BASE if self.passes else PER_BASE: pl.Series(
                    _concatenated(values, np.float32), nan_to_null=True
                )
            },
        )


PER_BASE = "log_probability_nats"
MASKED_PER_BASE = "masked_log_probability_nats"
UNSCORED = "without a score"
_TYPES: dict[str, type[pl.DataType]] = {
    **dict.fromkeys(("id", "chrom", "strand", "strands"), pl.String),
    **dict.fromkeys(("start", "end", "length", "scored_bases", "scored_tokens"), pl.Int64),
}
_SCORES = (
    "log_likelihood_sum_nats",
    "log_likelihood_mean_nats_per_base",
    "log_likelihood_mean_nats_per_token",
    "bits_per_base",
)
OWN = frozenset((*_TYPES, *_SCORES, *(f"pseudo_{name}" for name in _SCORES)))
"""Names of columns that a table of scores of sequences has."""


def _concatenated(arrays: Sequence[NDArray[Any]], dtype: Any) -> NDArray[Any]:
    return np.concatenate([*arrays, np.empty(0, dtype)]).astype(dtype)


def _names(items: list[SequenceRecord]) -> pl.DataFrame:
    """Contig and strand of every sequence, null where it has none."""
    values = {name: [getattr(item.interval, name, None) for item in items] for name in ("chrom", "strand")}
    return pl.DataFrame(values, schema={"chrom": pl.String, "strand": pl.String})


def score(
    model: Model | str | Path,
    inputs: Sequences,
    out: Path | str | None = None,
    *,
    rc: bool = False,
    per_base: bool = False,
    normalise: Normalisation | None = None,
    passes: int | None = None,
    genome: Genome | str | Path | None = None,
    length: int | None = None,
    context: int | None = None,
    iupac: IupacPolicy = "raise",
    device: torch.device | str | None = None,
    dtype: torch.dtype | str | None = None,
    token_budget: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    shard: str | tuple[int, int] | None = None,
    progress: Progress | bool | None = None,
    dry_run: bool = False,
) -> Any:
    """Log-likelihood of sequences: of each token given those to its left, in nats, and the sum over the sequence.

    A decoder's sum is the log-likelihood. An encoder reads both ways and has none: its tokens are masked, some in each
    of several passes, and predicted from all around them; the sum is a pseudo-log-likelihood, and named so.

    A token of several bases shares its log-probability out evenly over them. The first base of a sequence where nothing
    precedes it, and tokens that are not made of A, C, G and T alone, have no score and are not counted. A sequence
    beyond the context is scored in overlapping windows, so that a decoder has at least half a context to the left of
    every base but the first ones, and an encoder an eighth on either side.

    Args:
        model: a model, or what :func:`genolm.load` takes.
        inputs: a path, a table, a dict of names and sequences, or a list of sequences, intervals or variants.
        out: ``.parquet``, ``.tsv`` or ``.csv``; ``.bw``, ``.bigwig``, ``.bedgraph`` (``.gz``) for values along a
            genome. None returns the table.
        rc: the mean over both strands base by base: each base is predicted from its left and from its right. The first
            and the last base have one of the two.
        per_base: a row for each base; implied by a track.
        normalise: probabilities add up to one over the four ``bases`` (the default where a token is one base), or over
            the model's whole ``vocabulary`` (with longer tokens, and for encoders, always).
        passes: for an encoder: in how many passes its tokens are masked, every so many-th in each; None for 8. More
            passes cost more and hide less of the context.
        genome: FASTA, where the input holds coordinates.
        length: bases to which intervals are resized; variants need it.
        context: most bases that go through the model together; None for what it can read. The work of a long sequence
            grows with it: 8,192 is plenty for whole chromosomes.
        iupac: for ambiguous letters of sequences: ``raise``, read as ``N``, or ``sample`` a base.
        device: where to compute; None for the best there is.
        dtype: precision of the weights; None for what card and device prefer.
        token_budget: tokens of a batch; None for what fits.
        resume: go on from the finished parts of a killed run.
        overwrite: replace an existing output.
        shard: ``"i/n"``: do the i-th of n shares only, for :func:`genolm.merge`.
        progress: True for a bar on standard error.
        dry_run: write nothing; measure a few batches and return an :class:`genolm.engine.run.Estimate` of the run.

    Returns:
        ``out``, or without one a polars table. For each sequence: ``id``, coordinates (0-based, half-open) where known,
        ``length``, ``scored_bases``, ``log_likelihood_sum_nats``, ``log_likelihood_mean_nats_per_base`` and
        ``bits_per_base`` (lower is likelier; these three are null where no base has a score), with tokens of several
        bases ``scored_tokens`` (of all strands) and ``log_likelihood_mean_nats_per_token``, ``strands``, and the
        further columns of a table. For each base:
        ``id``, ``chrom``, ``start`` (0-based) and ``strand`` of the base for intervals, ``position`` in the sequence
        (0-based), ``base``, ``log_probability_nats``. Of encoders the names begin with ``pseudo_`` and ``masked_``.

    Raises:
        InputError: input that cannot be used; a track of input without coordinates or with overlaps.
        ModelError: no such model, a context beyond the model's, ``passes`` for a decoder, or probabilities over
            ``bases`` where the model has none; numbers of the model that are NaN or infinite.
        RunError: the output exists, or parts of another run are in the way.
        ResourceError: not enough memory or disk.
    """
    path = check_suffix(out, (*SUFFIXES, *TRACK_SUFFIXES))
    if normalise is not None and normalise not in get_args(Normalisation):
        raise InputError(f"normalise is one of {', '.join(get_args(Normalisation))}", value=normalise)
    if passes is not None and passes < 1:
        raise InputError("passes is at least 1", value=passes)
    track = path is not None and path.name.lower().endswith(TRACK_SUFFIXES)
    form: Form = "track" if track else "base" if per_base else "sequence"
    kept = OWN if form == "sequence" else None
    source = settle(inputs, genome=genome, length=length, iupac=iupac, keep_beside=kept)
    bulk = Bulk(device, dtype, token_budget, resume, overwrite, shard, progress, dry_run)
    opened = bulk.open(model, path)
    task = ScoreTask(
        source,
        form,
        rc,
        normalisation_of(opened, normalise),
        passes_of(opened, passes),
        context_bases(opened, context),
        opened.tokenizer.bases_per_token,
        Provenance.of(opened),
    )
    warn_of_lengths(source.place, source.genome)
    return bulk.run(task, opened, path)
