"""Embedding task of the engine: hidden states of layers, pooled over sequences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import polars as pl

from genolm.arrays import Float32
from genolm.engine.summary import Summary
from genolm.engine.windows import Window, cut
from genolm.genome.sequence import reverse_complement
from genolm.genome.sequences import SequenceRecord
from genolm.tasks.reading.hidden_states import hidden_chunks
from genolm.tasks.reading.pooling import Pooling
from genolm.tasks.reading.scored_spans import StrandOrigin
from genolm.tasks.reading.sources import Source, coordinates, further_of
from genolm.tasks.writing.provenance import Provenance
from genolm.tasks.writing.vector_files import (
    beside_vectors,
    write_vectors,
)

if TYPE_CHECKING:
    from genolm.models.model import Model


_PART_BYTES = 1 << 28  # size of the vectors of a part without pooling


@dataclass(frozen=True, slots=True)
class Pooled:
    """Pooled vectors of one window.

    Attributes:
        layers: for each layer an array (D,), or (tokens, D) without pooling.
        tokens: number of pooled tokens.
    """

    layers: tuple[Float32, ...]
    tokens: int


@dataclass(frozen=True, slots=True)
class EmbedTask:
    """Embedding of sequences; made by :func:`genolm.embed`.

    Attributes:
        source: the sequences.
        layers: layers from 0 (embedding) to ``num_layers`` (after the final norm).
        pooling: pooling over tokens.
        rc: average with the reverse complement.
        width: dimension of a vector.
        context: maximum length of a window in bases.
        bases_per_token: mean token length of the tokenizer in bases.
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
        """Approximate number of tokens per part; fewer without pooling."""
        kept = 4 * self.width * len(self.layers)
        return 1 << 18 if self.pooling.reduces else max(1, min(1 << 18, _PART_BYTES // kept))

    def items(self) -> Iterator[SequenceRecord]:
        """Return the sequences."""
        return self.source.read()

    def inputs(self) -> tuple[Path, ...]:
        """Return the input files."""
        return self.source.files()

    def cost(self, item: SequenceRecord) -> int:
        """Return the approximate number of tokens."""
        return math.ceil(len(item.sequence) * (2 if self.rc else 1) / self.bases_per_token)

    def windows(self, items: Sequence[SequenceRecord], model: Model) -> list[Window[StrandOrigin]]:
        """Return windows of at most the context; the origin is (number of the sequence, whether it is reversed)."""
        windows = []
        for number, item in enumerate(items):
            windows += cut(item.sequence, model, self.context, origin=(number, False))
            if self.rc:
                windows += cut(reverse_complement(item.sequence), model, self.context, origin=(number, True))
        return windows

    def forward(self, model: Model, windows: Sequence[Window[StrandOrigin]]) -> list[Pooled]:
        """Return the pooled layers of each window."""
        pieces: list[list[Pooled]] = [[] for _ in windows]
        for chunk in hidden_chunks(model, windows, set(self.layers)):
            rows = chunk.body_BL.any(1)
            counts = chunk.body_BL.sum(1)[rows].tolist()
            by_layer = [self.pooling.reduce(chunk.hidden[n][rows], chunk.body_BL[rows]) for n in self.layers]
            for row, count, *vectors in zip(rows.nonzero()[:, 0].tolist(), counts, *by_layer):
                pieces[row].append(Pooled(tuple(vectors), count))
        joined = [self._joined(row) for row in pieces]
        return [self._per_base(window, pooled) for window, pooled in zip(windows, joined)]

    def subject(self, items: Sequence[SequenceRecord], window: Window[StrandOrigin], part: int) -> str:
        """Return a description of the sequence of a window, for messages."""
        return items[window.origin[0]].named

    def rows(
        self, items: Sequence[SequenceRecord], windows: Sequence[Window[StrandOrigin]], outputs: Sequence[Pooled]
    ) -> pl.DataFrame:
        """Return a row for each sequence, layer and, without pooling, token or base."""
        strands: dict[tuple[int, bool], list[Pooled]] = {}
        for window, output in zip(windows, outputs):
            strands.setdefault(window.origin, []).append(output)
        vectors = [self._vectors(strands, number) for number in range(len(items))]
        return self._frame(list(items), vectors)

    def side_files(self, out: Path) -> tuple[Path, ...]:
        """Return the side files of an output."""
        return beside_vectors(out)

    def assemble(self, frames: Iterator[pl.DataFrame], out: Path) -> None:
        """Write parquet, npy, h5ad or zarr."""
        write_vectors(frames, out, self.metadata())

    def collect(self, frames: Iterator[pl.DataFrame]) -> pl.DataFrame:
        """Return the table."""
        return pl.concat(list(frames))

    def count(self, rows: pl.DataFrame) -> Summary:
        """Count sequences, bases and vectors."""
        first = rows.filter(pl.col("layer") == self.layers[0]) if len(self.layers) > 1 else rows
        first = first if self.pooling.reduces else first.filter(pl.col("position") == 0)
        layers = f"layer {self.layers[0]}" if len(self.layers) == 1 else f"{len(self.layers)} layers"
        return Summary(
            {"sequences": first.height, "bases": int(first["length"].sum())},
            results={"vectors": rows.height},
            note=f"{self.width} dimensions, {layers}",
        )

    def metadata(self) -> dict[str, str]:
        """Return model and settings for the provenance."""
        return self.provenance.entries(**self.settings)

    @property
    def settings(self) -> dict[str, object]:
        """Settings for the provenance."""
        strands = "mean of forward and reverse complement" if self.rc else "forward"
        layers: object = list(self.layers) if len(self.layers) > 1 else self.layers[0]
        return {"layer": layers, "pooling": self.pooling.name, "strands": strands, "context_bases": self.context}

    def _per_base(self, window: Window[StrandOrigin], pooled: Pooled) -> Pooled:
        """Repeat the vector of each token for its bases, for pooling ``bases``."""
        if self.pooling.name != "bases" or window.encoded is None:
            return pooled
        lengths = window.encoded.spans_T2[:, 1] - window.encoded.spans_T2[:, 0]
        return Pooled(tuple(np.repeat(vectors, lengths, axis=0) for vectors in pooled.layers), len(window))

    def _joined(self, pieces: Sequence[Pooled]) -> Pooled:
        """Join consecutive windows of one strand."""
        counts = [piece.tokens for piece in pieces]
        layers = zip(*(piece.layers for piece in pieces))
        return Pooled(tuple(self.pooling.join(vectors, counts) for vectors in layers), sum(counts))

    def _vectors(self, strands: dict[tuple[int, bool], list[Pooled]], number: int) -> tuple[Float32, ...]:
        forward = self._joined(strands[number, False]).layers
        if not self.rc:
            return forward
        reverse = self._joined(strands[number, True]).layers
        return tuple(self.pooling.both_strands(*layer) for layer in zip(forward, reverse))

    def _frame(self, items: list[SequenceRecord], vectors: list[tuple[Float32, ...]]) -> pl.DataFrame:
        """Return rows ordered by sequence, then layer, then token."""
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


OUTPUT_COLUMNS = frozenset((*_ABOUT, "length", "layer", "position", "embedding", "_index"))
"""Column names of embedding tables; ``_index`` is reserved by AnnData."""
