"""Embeddings from one or several models, as a step of other tasks. D dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from genolm.engine.windows import Window
from genolm.genome.sequences import SequenceRecord
from genolm.models.finite import rows_numbered
from genolm.models.model import Model
from genolm.tasks.reading.embedding import EmbedTask, Pooled
from genolm.tasks.reading.model_group import models_of
from genolm.tasks.reading.model_limits import choose_layers, context_bases
from genolm.tasks.reading.pooling import Pooling, PoolingName
from genolm.tasks.reading.scored_spans import StrandOrigin
from genolm.tasks.reading.sources import Source
from genolm.tasks.writing.provenance import Provenance

ModelOrigin = tuple[StrandOrigin, int]
"""Origin of a window: that of embedding, and the number of the model."""


@dataclass(frozen=True, slots=True)
class VectorReader:
    """Embedding by one model, as in :func:`genolm.embed`.

    Attributes:
        role: column name of the vectors.
        embedding: layer, pooling, strands, context and model.
    """

    role: str
    embedding: EmbedTask

    @classmethod
    def of(
        cls, model: Model, role: str, *, layer: int | None, pooling: PoolingName, rc: bool, context: int | None
    ) -> VectorReader:
        """Return the reader of a model; settings as in :func:`genolm.embed`.

        Raises:
            ModelError: if the model does not have the layer, or the context exceeds the model's.
        """
        return cls(
            role,
            EmbedTask(
                Source(()),  # the task supplies the sequences
                choose_layers(model, layer),
                Pooling(pooling),
                rc,
                model.config.hidden_size,
                context_bases(model, context),
                model.tokenizer.bases_per_token,
                Provenance.of(model),
            ),
        )


@dataclass(frozen=True, slots=True)
class VectorReaders:
    """Embedding of the same sequences by all models of a run.

    Attributes:
        readers: one per model, in the order of the models.
    """

    readers: tuple[VectorReader, ...]

    def cost(self, item: SequenceRecord) -> int:
        """Return the approximate number of tokens over all models."""
        return sum(reader.embedding.cost(item) for reader in self.readers)

    def windows(self, items: Sequence[SequenceRecord], model: Model) -> list[Window[ModelOrigin]]:
        """Return the windows of all models; their origin is that of embedding and the number of the model."""
        return [
            window.with_origin((window.origin, number))
            for number, (member, reader) in enumerate(zip(models_of(model), self.readers, strict=True))
            for window in reader.embedding.windows(items, member)
        ]

    def forward(self, model: Model, windows: Sequence[Window[ModelOrigin]]) -> list[Pooled]:
        """Return the pooled layer of each window under its model."""
        outputs: dict[int, Pooled] = {}
        for number, (member, reader) in enumerate(zip(models_of(model), self.readers, strict=True)):
            indices = _indices(windows, number)
            if indices:
                with rows_numbered(indices):
                    pooled = reader.embedding.forward(member, _of_embedding(windows, indices))
                    outputs.update(zip(indices, pooled))
        return [outputs[index] for index in range(len(windows))]

    def columns(
        self, items: Sequence[SequenceRecord], windows: Sequence[Window[ModelOrigin]], outputs: Sequence[Pooled]
    ) -> dict[str, pl.Series]:
        """Return a column of vectors, ``Array(Float32, D)``, for the role of each reader."""
        columns = {}
        for number, reader in enumerate(self.readers):
            indices = _indices(windows, number)
            own = _of_embedding(windows, indices)
            rows = reader.embedding.rows(items, own, [outputs[index] for index in indices])
            columns[reader.role] = rows["embedding"]
        return columns


class VectorTask:
    """Common methods of tasks whose only use of models is embedding."""

    __slots__ = ()
    readers: VectorReaders

    def cost(self, item: SequenceRecord) -> int:
        """Return the approximate number of tokens over all models."""
        return self.readers.cost(item)

    def windows(self, items: Sequence[SequenceRecord], model: Model) -> list[Window[ModelOrigin]]:
        """Return windows of at most the context for each model."""
        return self.readers.windows(items, model)

    def subject(self, items: Sequence[SequenceRecord], window: Window[ModelOrigin], part: int) -> str:
        """Return a description of the sequence of a window, for messages."""
        return items[window.origin[0][0]].named

    def forward(self, model: Model, windows: Sequence[Window[ModelOrigin]]) -> list[Pooled]:
        """Return the pooled layer of each window."""
        return self.readers.forward(model, windows)


def _of_embedding(windows: Sequence[Window[ModelOrigin]], indices: Sequence[int]) -> list[Window[StrandOrigin]]:
    return [windows[index].with_origin(windows[index].origin[0]) for index in indices]


def _indices(windows: Sequence[Window[ModelOrigin]], number: int) -> list[int]:
    """Return the indices of the windows of a model, by its number."""
    return [index for index, window in enumerate(windows) if window.origin[1] == number]
