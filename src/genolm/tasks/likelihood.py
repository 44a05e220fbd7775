"""Log-likelihood of sequences under a causal model, whole or base by base."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from genolm.engine.progress import Progress
from genolm.engine.windows import Window, tile
from genolm.errors import InputError, ModelError
from genolm.genome.sequence import reverse_complement
from genolm.genome.sequences import SequenceRecord
from genolm.tasks.bulk import Bulk
from genolm.tasks.embed import context_bases
from genolm.tasks.log_probabilities import Normalisation, token_log_probs
from genolm.tasks.passes import Chunk, hidden_chunks
from genolm.tasks.provenance import Provenance
from genolm.tasks.sources import IupacPolicy, Source, coordinates, settle
from genolm.tasks.tables import SUFFIXES, check_suffix, write_table
from genolm.tasks.tracks import TRACK_SUFFIXES, base_starts, pieces_in_order, track_rows, write_track

if TYPE_CHECKING:
    from genolm.genome.fasta import Genome
    from genolm.models.model import Model

Float32 = NDArray[np.float32]
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
        context: most bases of one window.
        provenance: the model.
    """

    source: Source
    form: Form
    rc: bool
    normalise: Normalisation
    context: int
    provenance: Provenance
    name: ClassVar[str] = "score"

    @property
    def overlap(self) -> int:
        """Bases that a window after the first has on its left before it scores any."""
        return self.context // 2

    def items(self) -> Iterator[SequenceRecord]:
        """The sequences; for a track in the order of the genome."""
        return pieces_in_order(self.source) if self.form == "track" else self.source.read()

    def inputs(self) -> tuple[Path, ...]:
        """The files that are read."""
        return self.source.files()

    def cost(self, item: SequenceRecord) -> int:
        """Bases that go through the model, about."""
        bases = len(item.sequence)
        again = 2 if bases > self.context else 1
        return bases * again * (2 if self.rc else 1)

    def windows(self, items: Sequence[SequenceRecord]) -> list[Window]:
        """Windows of the context, each beginning half a window before the last one's end."""
        windows = []
        for number, item in enumerate(items):
            windows += tile(item.sequence, self.context, overlap=self.overlap, origin=(number, False))
            if self.rc:
                reverse = reverse_complement(item.sequence)
                windows += tile(reverse, self.context, overlap=self.overlap, origin=(number, True))
        return windows

    def forward(self, model: Model, windows: Sequence[Window]) -> list[Float32]:
        """The log-probability of every base of every window, NaN at the first and at N."""
        last = model.config.num_layers
        columns: list[torch.Tensor] = []
        before: torch.Tensor | None = None
        for chunk in hidden_chunks(model, [window.sequence for window in windows], {last}):
            columns.append(self._chunk_log_probs(model, chunk, chunk.hidden[last], before))
            before = chunk.hidden[last][:, -1:]
        values_BL = torch.cat(columns, 1).cpu().numpy()
        return [row[: len(window)].copy() for row, window in zip(values_BL, windows)]

    def rows(
        self, items: Sequence[SequenceRecord], windows: Sequence[Window], outputs: Sequence[Float32]
    ) -> pl.DataFrame:
        """A row for each sequence, or for each base, or for each piece of a track."""
        strands: dict[tuple[int, bool], list[Float32]] = {}
        for window, output in zip(windows, outputs):
            own = output[self.overlap :] if window.start else output
            strands.setdefault(window.origin, []).append(own)
        values = [self._per_base(strands, number) for number in range(len(items))]
        if self.form == "track":
            return track_rows(items, values)
        make = self._sequence_rows if self.form == "sequence" else self._base_rows
        return make(list(items), values)

    def assemble(self, frames: Iterator[pl.DataFrame], out: Path) -> None:
        """Writes a table or a track."""
        if self.form == "track":
            write_track(frames, out, self.source, self.metadata())
        else:
            write_table(frames, out, self.metadata())

    def collect(self, frames: Iterator[pl.DataFrame]) -> pl.DataFrame:
        """The table."""
        return pl.concat(list(frames))

    def metadata(self) -> dict[str, str]:
        """Everything that says how the scores were made."""
        return self.provenance.described(
            strands=self._strands, normalised_over=self.normalise, context_bases=self.context
        )

    @property
    def _strands(self) -> str:
        return "both" if self.rc else "forward"

    def _chunk_log_probs(
        self, model: Model, chunk: Chunk, x_BLD: torch.Tensor, before_B1D: torch.Tensor | None
    ) -> torch.Tensor:
        """Log-probabilities of a chunk's tokens; the last hidden state before it predicts its first token."""
        if before_B1D is None:
            nothing = x_BLD.new_full((len(x_BLD), 1), float("nan"), dtype=torch.float32)
            rest = self._log_probs(model, x_BLD[:, :-1], chunk.ids_BL[:, 1:])
            return torch.cat((nothing, rest), 1)
        return self._log_probs(model, torch.cat((before_B1D, x_BLD[:, :-1]), 1), chunk.ids_BL)

    def _log_probs(self, model: Model, x_BLD: torch.Tensor, targets_BL: torch.Tensor) -> torch.Tensor:
        values = token_log_probs(model, x_BLD, targets_BL, normalise=self.normalise)
        bases = torch.isin(targets_BL, targets_BL.new_tensor(model.tokenizer.base_ids))
        return values.masked_fill(~bases, float("nan"))

    def _per_base(self, strands: dict[tuple[int, bool], list[Float32]], number: int) -> Float32:
        forward = np.concatenate(strands[number, False])
        if not self.rc:
            return forward
        return mean_of_strands(forward, np.concatenate(strands[number, True])[::-1])

    def _sequence_rows(self, items: list[SequenceRecord], values: list[Float32]) -> pl.DataFrame:
        counts = [int(np.count_nonzero(~np.isnan(one))) for one in values]
        sums = [float(np.nansum(one, dtype=np.float64)) for one in values]
        means = [total / count if count else None for total, count in zip(sums, counts)]
        columns = {
            **coordinates(items, self.source.kind),
            "length": [len(item.sequence) for item in items],
            "scored_bases": counts,
            "log_likelihood_sum_nats": sums,
            "log_likelihood_mean_nats_per_base": means,
            "bits_per_base": [None if mean is None else -mean / math.log(2) for mean in means],
            "strands": [self._strands] * len(items),
        }
        return pl.DataFrame(columns, schema={name: _TYPES.get(name, pl.Float64) for name in columns})

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
            **{PER_BASE: pl.Series(_concatenated(values, np.float32), nan_to_null=True)},
        )


PER_BASE = "log_probability_nats"
_TYPES: dict[str, type[pl.DataType]] = {
    **dict.fromkeys(("id", "chrom", "strand", "strands"), pl.String),
    **dict.fromkeys(("start", "end", "length", "scored_bases"), pl.Int64),
}


def mean_of_strands(forward: Float32, reverse: Float32) -> Float32:
    """Base by base the mean of two strands, both in forward order; where one has no value, the other's."""
    both = (forward + reverse) / np.float32(2)
    return np.where(np.isnan(forward), reverse, np.where(np.isnan(reverse), forward, both)).astype(np.float32)


def _concatenated(arrays: Sequence[NDArray[Any]], dtype: Any) -> NDArray[Any]:
    return np.concatenate([*arrays, np.empty(0, dtype)]).astype(dtype)


def _names(items: list[SequenceRecord]) -> pl.DataFrame:
    """Contig and strand of every sequence, null where it has none."""
    values = {name: [getattr(item.interval, name, None) for item in items] for name in ("chrom", "strand")}
    return pl.DataFrame(values, schema={"chrom": pl.String, "strand": pl.String})


def score(
    model: Model | str | Path,
    inputs: Any,
    out: Path | str | None = None,
    *,
    rc: bool = False,
    per_base: bool = False,
    normalise: Normalisation = "bases",
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
) -> Any:
    """Log-likelihood of sequences: of each base given those to its left, in nats, and the sum over the sequence.

    The first base of a sequence, which has nothing to its left, and every N have no score and are not counted. A
    sequence beyond the context is scored in overlapping windows, so that every base but the first ones has at least
    half a context to its left.

    Args:
        model: a model, or what :func:`genolm.load` takes.
        inputs: a path, a table, or a list of sequences, intervals or variants.
        out: ``.parquet``, ``.tsv`` or ``.csv``; ``.bw``, ``.bigwig``, ``.bedgraph`` (``.gz``) for values along a
            genome. None returns the table.
        rc: the mean over both strands base by base: each base is predicted from its left and from its right. The first
            and the last base have one of the two.
        per_base: a row for each base; implied by a track.
        normalise: probabilities add up to one over the four ``bases``, or over the model's whole ``vocabulary``.
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

    Returns:
        ``out``, or without one a polars table. For each sequence: ``id``, coordinates (0-based, half-open) where known,
        ``length``, ``scored_bases``, ``log_likelihood_sum_nats``, ``log_likelihood_mean_nats_per_base`` and
        ``bits_per_base`` (null when nothing was scored; lower is likelier), ``strands``. For each base: ``id``,
        ``chrom``, ``start`` (0-based) and ``strand`` of the base for intervals, ``position`` in the sequence (0-based),
        ``base``, ``log_probability_nats``.

    Raises:
        InputError: input that cannot be used; a track of input without coordinates or with overlaps.
        ModelError: no such model, one whose tokens are not single bases, or a context beyond the model's.
        RunError: the output exists, or parts of another run are in the way.
        ResourceError: not enough memory or disk.
    """
    path = check_suffix(out, (*SUFFIXES, *TRACK_SUFFIXES))
    if normalise not in get_args(Normalisation):
        raise InputError(f"normalise is one of {', '.join(get_args(Normalisation))}", value=normalise)
    source = settle(inputs, genome=genome, length=length, iupac=iupac)
    bulk = Bulk(device, dtype, token_budget, resume, overwrite, shard, progress)
    opened = bulk.open(model, path)
    if opened.tokenizer.bases_per_token != 1:
        raise ModelError(f"{opened.card.name} has tokens of several bases; score needs one token per base")
    track = path is not None and path.name.lower().endswith(TRACK_SUFFIXES)
    form: Form = "track" if track else "base" if per_base else "sequence"
    task = ScoreTask(source, form, rc, normalise, context_bases(opened, context), Provenance.of(opened))
    return bulk.run(task, opened, path)
