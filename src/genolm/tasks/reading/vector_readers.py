"""Vectors of sequences from one or several models, for tasks of which they are a part. D dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from genolm.engine.windows import Window
from genolm.genome.sequences import SequenceRecord
from genolm.models.finite import rows_numbered
from genolm.models.model import Model
from genolm.tasks.reading.embedding import EmbedTask, Pooled
from genolm.tasks.reading.model_group import models_of
from genolm.tasks.reading.model_limits import choose_layers, context_bases
from genolm.tasks.reading.pooling import Pooling, PoolingName
from genolm.tasks.reading.sources import Source
from genolm.tasks.writing.provenance import Provenance


@dataclass(frozen=True, slots=True)
class VectorReader:
    """How one model turns sequences into vectors, as :func:`genolm.embed` does.

    Attributes:
        role: what the vectors are called in tables.
        embedding: the layer, pooling, strands, context and model.
    """

    role: str
    embedding: EmbedTask

    @classmethod
    def of(
        cls, model: Model, role: str, *, layer: int | None, pooling: PoolingName, rc: bool, context: int | None
    ) -> VectorReader:
        """How a model reads; the settings mean what they do for :func:`genolm.embed`.

        Raises:
            ModelError: no such layer, or a context beyond the model's.
        """
        return cls(
            role,
            EmbedTask(
                Source(()),  # the sequences are the task's own
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
    """Readers of the same sequences, in the order of the models of a run.

    Attributes:
        readers: one for each model.
    """

    readers: tuple[VectorReader, ...]

    def cost(self, item: SequenceRecord) -> int:
        """Tokens that go through the models, about."""
        return sum(reader.embedding.cost(item) for reader in self.readers)

    def windows(self, items: Sequence[SequenceRecord], model: Model) -> list[Window]:
        """Every model's windows; behind what embedding keeps in their origin stands the number of the model."""
        return [
            replace(window, origin=(window.origin, which))
            for which, (one, reader) in enumerate(zip(models_of(model), self.readers, strict=True))
            for window in reader.embedding.windows(items, one)
        ]

    def forward(self, model: Model, windows: Sequence[Window]) -> list[Pooled]:
        """The pooled layer of every window, under the model that it is for."""
        outputs: dict[int, Pooled] = {}
        for which, (one, reader) in enumerate(zip(models_of(model), self.readers, strict=True)):
            places = _places(windows, which)
            if places:
                with rows_numbered(places):
                    outputs.update(zip(places, reader.embedding.forward(one, [windows[place] for place in places])))
        return [outputs[place] for place in range(len(windows))]

    def columns(
        self, items: Sequence[SequenceRecord], windows: Sequence[Window], outputs: Sequence[Pooled]
    ) -> dict[str, pl.Series]:
        """A column of vectors, ``Array(Float32, D)``, for each reader by its role."""
        found = {}
        for which, reader in enumerate(self.readers):
            places = _places(windows, which)
            own = [replace(windows[place], origin=windows[place].origin[0]) for place in places]
            found[reader.role] = reader.embedding.rows(items, own, [outputs[place] for place in places])["embedding"]
        return found


class VectorTask:
    """What tasks that read vectors and do no more with a model have in common; they have ``readers``."""

    __slots__ = ()
    readers: VectorReaders

    def cost(self, item: SequenceRecord) -> int:
        """Tokens that go through the models, about."""
        return self.readers.cost(item)

    def windows(self, items: Sequence[SequenceRecord], model: Model) -> list[Window]:
        """Pieces of at most the context, for each model."""
        return self.readers.windows(items, model)

    def subject(self, items: Sequence[SequenceRecord], window: Window, part: int) -> str:
        """The sequence of a window, in words."""
        return items[window.origin[0][0]].named

    def forward(self, model: Model, windows: Sequence[Window]) -> list[Pooled]:
        """The pooled layer of every window."""
        return self.readers.forward(model, windows)


def _places(windows: Sequence[Window], which: int) -> list[int]:
    return [place for place, window in enumerate(windows) if window.origin[1] == which]
