"""Sequences into vectors: the hidden state of a layer, pooled over the sequence."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import polars as pl

from genolm.engine.progress import Progress
from genolm.engine.summary import Summary
from genolm.engine.target import check_beside
from genolm.engine.windows import Window, cut
from genolm.errors import InputError, ModelError
from genolm.genome.contig_lengths import warn_of_lengths
from genolm.genome.in_memory import Sequences
from genolm.genome.sequence import reverse_complement
from genolm.genome.sequences import SequenceRecord
from genolm.tasks.reading.bulk import Bulk
from genolm.tasks.reading.hidden_states import hidden_chunks
from genolm.tasks.reading.pooling import Float32, Pooling, PoolingName
from genolm.tasks.reading.sources import IupacPolicy, Source, coordinates, further_of, settle
from genolm.tasks.writing.provenance import Provenance
from genolm.tasks.writing.table_files import check_suffix
from genolm.tasks.writing.vector_files import (
    SUFFIXES,
    Form,
    beside_vectors,
    check_form,
    in_form,
    require,
    write_vectors,
)

if TYPE_CHECKING:
    import torch

    from genolm.genome.fasta import Genome
    from genolm.models.model import Model

_PART_BYTES = 1 << 28  # of vectors in one part when every token keeps its own


@dataclass(frozen=True, slots=True)
class Pooled:
    """What one window gives.

    Attributes:
        layers: for every layer (D,), or (tokens, D) without pooling.
        tokens: how many tokens were pooled.
    """

    layers: tuple[Float32, ...]
    tokens: int


@dataclass(frozen=True, slots=True)
class EmbedTask:
    """Embedding as the engine runs it; :func:`embed` makes one.

    Attributes:
        source: the sequences.
        layers: hidden states, 0 (embedding) to ``num_layers`` (after the final norm).
        pooling: how tokens become one vector.
        rc: average with the reverse complement.
        width: dimensions of a vector.
        context: most bases of one window.
        bases_per_token: of the model's tokenizer, on average.
        provenance: the model.
    """

    source: Source
    layers: tuple[int, ...]
    pooling: Pooling
    rc: bool
    width: int
    context: int
    bases_per_token: float
    provenance: Provenance
    name: ClassVar[str] = "embed"
    unit: ClassVar[str] = "sequences"
    logits: ClassVar[bool] = False

    @property
    def part_tokens(self) -> int:
        """About how many tokens go into one part: fewer when every token's vectors are kept."""
        kept = 4 * self.width * len(self.layers)
        return 1 << 18 if self.pooling.reduces else max(1, min(1 << 18, _PART_BYTES // kept))

    def items(self) -> Iterator[SequenceRecord]:
        """The sequences."""
        return self.source.read()

    def inputs(self) -> tuple[Path, ...]:
        """The files that are read."""
        return self.source.files()

    def cost(self, item: SequenceRecord) -> int:
        """Tokens that go through the model, about."""
        return math.ceil(len(item.sequence) * (2 if self.rc else 1) / self.bases_per_token)

    def windows(self, items: Sequence[SequenceRecord], model: Model) -> list[Window]:
        """Pieces of at most the context; their origin is the sequence's number and whether it is reversed."""
        windows = []
        for number, item in enumerate(items):
            windows += cut(item.sequence, model, self.context, origin=(number, False))
            if self.rc:
                windows += cut(reverse_complement(item.sequence), model, self.context, origin=(number, True))
        return windows

    def forward(self, model: Model, windows: Sequence[Window]) -> list[Pooled]:
        """The pooled layers of every window."""
        pieces: list[list[Pooled]] = [[] for _ in windows]
        for chunk in hidden_chunks(model, windows, set(self.layers)):
            rows = chunk.body_BL.any(1)
            counts = chunk.body_BL.sum(1)[rows].tolist()
            by_layer = [self.pooling.reduce(chunk.hidden[n][rows], chunk.body_BL[rows]) for n in self.layers]
            for row, count, *vectors in zip(rows.nonzero()[:, 0].tolist(), counts, *by_layer):
                pieces[row].append(Pooled(tuple(vectors), count))
        joined = [self._joined(row) for row in pieces]
        return [self._per_base(window, pooled) for window, pooled in zip(windows, joined)]

    def subject(self, items: Sequence[SequenceRecord], window: Window, part: int) -> str:
        """The sequence of a window, in words."""
        return items[window.origin[0]].named

    def rows(
        self, items: Sequence[SequenceRecord], windows: Sequence[Window], outputs: Sequence[Pooled]
    ) -> pl.DataFrame:
        """A row for each sequence, layer and, without pooling, token."""
        strands: dict[tuple[int, bool], list[Pooled]] = {}
        for window, output in zip(windows, outputs):
            strands.setdefault(window.origin, []).append(output)
        vectors = [self._vectors(strands, number) for number in range(len(items))]
        return self._frame(list(items), vectors)

    def beside(self, out: Path) -> tuple[Path, ...]:
        """The files that are written beside the output."""
        return beside_vectors(out)

    def assemble(self, frames: Iterator[pl.DataFrame], out: Path) -> None:
        """Writes parquet, npy, h5ad or zarr."""
        write_vectors(frames, out, self.metadata())

    def collect(self, frames: Iterator[pl.DataFrame]) -> pl.DataFrame:
        """The table."""
        return pl.concat(list(frames))

    def count(self, rows: pl.DataFrame) -> Summary:
        """Sequences, their bases and the vectors of them."""
        first = rows.filter(pl.col("layer") == self.layers[0]) if len(self.layers) > 1 else rows
        first = first if self.pooling.reduces else first.filter(pl.col("position") == 0)
        layers = f"layer {self.layers[0]}" if len(self.layers) == 1 else f"{len(self.layers)} layers"
        return Summary(
            {"sequences": first.height, "bases": int(first["length"].sum())},
            results={"vectors": rows.height},
            note=f"{self.width} dimensions, {layers}",
        )

    def metadata(self) -> dict[str, str]:
        """Everything that says how the vectors were made."""
        strands = "mean of forward and reverse complement" if self.rc else "forward"
        layers: object = list(self.layers) if len(self.layers) > 1 else self.layers[0]
        return self.provenance.described(
            layer=layers, pooling=self.pooling.name, strands=strands, context_bases=self.context
        )

    def _per_base(self, window: Window, pooled: Pooled) -> Pooled:
        """With pooling ``bases`` every base has the vector of its token; else what was given."""
        if self.pooling.name != "bases" or window.encoded is None:
            return pooled
        lengths = window.encoded.spans_T2[:, 1] - window.encoded.spans_T2[:, 0]
        return Pooled(tuple(np.repeat(vectors, lengths, axis=0) for vectors in pooled.layers), len(window))

    def _joined(self, pieces: Sequence[Pooled]) -> Pooled:
        """Consecutive pieces of one strand as one."""
        counts = [piece.tokens for piece in pieces]
        layers = zip(*(piece.layers for piece in pieces))
        return Pooled(tuple(self.pooling.join(vectors, counts) for vectors in layers), sum(counts))

    def _vectors(self, strands: dict[tuple[int, bool], list[Pooled]], number: int) -> tuple[Float32, ...]:
        forward = self._joined(strands[number, False]).layers
        if not self.rc:
            return forward
        reverse = self._joined(strands[number, True]).layers
        return tuple(self.pooling.both_strands(one, other) for one, other in zip(forward, reverse))

    def _frame(self, items: list[SequenceRecord], vectors: list[tuple[Float32, ...]]) -> pl.DataFrame:
        """Rows in the order of sequences, then layers, then tokens."""
        flat = [np.atleast_2d(vector) for layers in vectors for vector in layers]
        counts = np.array([len(vector) for vector in flat], np.int64)
        owners = np.repeat(np.arange(len(items)).repeat(len(self.layers)), counts)
        about = pl.DataFrame(
            {**coordinates(items, self.source.kind), "length": [len(item.sequence) for item in items]},
            schema_overrides={**_ABOUT, "length": pl.Int64},
        ).with_columns(**further_of(items, self.source))
        columns: dict[str, Any] = {}
        if len(self.layers) > 1:
            columns["layer"] = np.repeat(np.tile(np.array(self.layers, np.int32), len(items)), counts)
        if not self.pooling.reduces:
            columns["position"] = np.concatenate([np.arange(count) for count in counts] or [np.empty(0, np.int64)])
        values = np.concatenate(flat or [np.empty((0, self.width), np.float32)])
        embedding = pl.Series("embedding", values, dtype=pl.Array(pl.Float32, self.width))
        return about[owners].with_columns(
            **{name: pl.Series(column) for name, column in columns.items()}, embedding=embedding
        )


_ABOUT = {"id": pl.String, "chrom": pl.String, "start": pl.Int64, "end": pl.Int64, "strand": pl.String}
OWN = frozenset((*_ABOUT, "length", "layer", "position", "embedding", "_index"))
"""Names of columns that embeddings have; ``_index`` is AnnData's own."""


def embed(
    model: Model | str | Path,
    inputs: Sequences,
    out: Path | str | None = None,
    *,
    layer: int | Literal["all"] | None = None,
    pooling: PoolingName | Pooling = "mean",
    rc: bool = False,
    genome: Genome | str | Path | None = None,
    length: int | None = None,
    context: int | None = None,
    iupac: IupacPolicy = "raise",
    as_: Form = "table",
    device: torch.device | str | None = None,
    dtype: torch.dtype | str | None = None,
    token_budget: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    shard: str | tuple[int, int] | None = None,
    progress: Progress | bool | None = None,
    dry_run: bool = False,
) -> Any:
    """Turns sequences into vectors: the hidden state of a layer, pooled over the sequence's tokens, as float32.

    A sequence beyond the context goes through in consecutive windows of the context; each starts without what came
    before it, and pooling is that of all their tokens.

    Args:
        model: a model, or what :func:`genolm.load` takes.
        inputs: what :func:`genolm.genome.sequences.read_sequences` takes: a path, a table, a dict of names and
            sequences, or a list of sequences, pairs ``(name, sequence)``, intervals or variants.
        out: ``.parquet``, ``.npy`` (with ``.ids.txt``), ``.h5ad`` or ``.zarr``; None returns the table.
        layer: 0 the embedding, ``num_layers`` (or -1) after the final norm, ``"all"``; None what the card prefers,
            else the last.
        pooling: ``mean``, ``max``, ``min``, the ``last`` token, ``none`` for a vector for every token, or ``bases`` for
            one for every base, its token's. Special tokens around a sequence are never pooled.
        rc: mean with the vector of the reverse complement; with ``bases``, base by base, as with ``none`` where a token
            is one base. Longer tokens of the two strands do not cover the same bases, so there ``none`` is refused.
        genome: FASTA, where the input holds coordinates.
        length: bases to which intervals are resized; variants need it.
        context: most bases that go through the model together; None for what it can read.
        iupac: for ambiguous letters of sequences: ``raise``, read as ``N``, or ``sample`` a base.
        as_: what is returned where nothing is written: the ``table``; ``numpy``, its column ``embedding`` as a float32
            array (rows, dimensions); or ``anndata``, an AnnData as in an ``.h5ad`` (extra ``anndata``).
        device: where to compute; None for the best there is.
        dtype: precision of the weights; None for what card and device prefer.
        token_budget: tokens of a batch; None for what fits.
        resume: go on from the finished parts of a killed run.
        overwrite: replace an existing output.
        shard: ``"i/n"``: do the i-th of n shares only, for :func:`genolm.merge`.
        progress: True for a bar on standard error.
        dry_run: write nothing; measure a few batches and return an :class:`genolm.engine.run.Estimate` of the run.

    Returns:
        ``out``, or without one a polars table: ``id``, coordinates (0-based, half-open) where known, ``length`` in
        bases, further columns of a table, ``layer`` when there are several, ``position`` (token or base, 0-based)
        without pooling, ``embedding``; or what ``as_`` asks for.

    Raises:
        InputError: input that cannot be used, an unknown pooling, an output of unknown kind.
        ModelError: no such model or layer, or a context beyond the model's.
        RunError: the output exists, or parts of another run are in the way.
        ResourceError: not enough memory or disk.
        GenolmError: a package that the output needs is not installed.
    """
    path = check_suffix(out, SUFFIXES)
    require(path)
    check_form(as_, path)
    check_layer(layer)
    chosen = pooling if isinstance(pooling, Pooling) else Pooling(pooling)
    source = settle(inputs, genome=genome, length=length, iupac=iupac, keep_beside=OWN)
    bulk = Bulk(device, dtype, token_budget, resume, overwrite, shard, progress, dry_run)
    if path is not None:
        check_beside(path, beside_vectors(path), overwrite=overwrite, resume=resume)
    opened = bulk.open(model, path)
    if rc and chosen.name == "none" and opened.tokenizer.bases_per_token != 1:
        raise InputError(
            "tokens of the two strands do not cover the same bases: with rc choose pooling bases", value="none"
        )
    task = EmbedTask(
        source,
        choose_layers(opened, layer),
        chosen,
        rc,
        opened.config.hidden_size,
        context_bases(opened, context),
        opened.tokenizer.bases_per_token,
        Provenance.of(opened),
    )
    warn_of_lengths(source.place, source.genome)
    result = bulk.run(task, opened, path)
    return result if dry_run or path is not None else in_form(result, as_, task.metadata)


def check_layer(layer: object, *, several: bool = True) -> None:
    """Raise `InputError` for a layer that no model can have; ``several``: whether ``"all"`` is possible."""
    if layer is None or (several and layer == "all"):
        return
    if isinstance(layer, bool) or not isinstance(layer, int):
        raise InputError("layer must be a whole number" + (" or 'all'" if several else ""), value=layer)


def choose_layers(model: Model, layer: int | Literal["all"] | None) -> tuple[int, ...]:
    """The hidden states that a user means: None is the card's, negative numbers count from the end.

    Raises:
        InputError: neither a number nor ``"all"``.
        ModelError: the model has no such layer.
    """
    check_layer(layer)
    last = model.config.num_layers
    if layer == "all":
        return tuple(range(last + 1))
    wanted = layer if layer is not None else model.card.layer if model.card.layer is not None else last
    if not isinstance(wanted, int) or not -last - 1 <= wanted <= last:
        raise ModelError(f"{model.card.name} has no layer {wanted}: layers go from 0 (embedding) to {last}, or 'all'")
    return (wanted + last + 1 if wanted < 0 else wanted,)


def context_bases(model: Model, context: int | None = None) -> int:
    """Most bases of one window: ``context``, or what the model can read.

    Raises:
        ModelError: the model cannot read so many.
    """
    most = model.room_bases
    if context is not None and not 1 <= context <= most:
        raise ModelError(f"a context of {context:,} bases is not within the 1 to {most:,} of {model.card.name}")
    return most if context is None else context
