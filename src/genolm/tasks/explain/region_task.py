"""Regions to explain, and the common part of the tasks that run a model and its null over them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genolm.engine.windows import Window, tile
from genolm.errors import InputError, ModelError
from genolm.genome.contig_lengths import warn_of_lengths
from genolm.genome.in_memory import Sequences
from genolm.genome.sequences import SequenceRecord
from genolm.tasks.reading.model_limits import context_bases
from genolm.tasks.reading.sources import IupacPolicy, Source, open_source

if TYPE_CHECKING:
    from genolm.genome.fasta import Genome
    from genolm.models.model import Model

LONGEST_CONTEXT = 8192
"""Maximum number of bases in a window by default."""


def settle_regions(
    inputs: Sequences,
    *,
    genome: Genome | str | Path | None = None,
    length: int | None = None,
    iupac: IupacPolicy = "raise",
) -> Source:
    """Return a re-readable source of regions: sequences or intervals.

    Raises:
        InputError: the input cannot be read, or holds variants.
    """
    source = open_source(inputs, genome=genome, length=length, iupac=iupac)
    if source.kind == "alleles":
        raise InputError(
            "explain requires sequences or intervals, not variants",
            file=source.place if isinstance(source.place, Path) else None,
        )
    warn_of_lengths(source.place, source.genome)
    return source


def refuse_empty(source: Source, *, predicted: bool = False) -> None:
    """Check, before anything is computed or written, that there is something to explain.

    Args:
        source: the sequences.
        predicted: whether a base with another base before it is required.

    Raises:
        InputError: there is no sequence, or no such base.
    """
    file = source.place if isinstance(source.place, Path) else None
    records = source.read()
    first = next(records, None)
    if first is None:
        raise InputError("no regions to explain: the input is empty", file=file, code="empty-input")
    if predicted and not any(set(one.sequence[1:]) - {"N"} for one in chain((first,), records)):
        raise InputError(
            "nothing to predict: only N, or single bases without a base before them", file=file, code="empty-input"
        )


def fitting_context(model: Model, context: int | None) -> int:
    """Return the bases of a window: ``context``, or the model's maximum up to :data:`LONGEST_CONTEXT`.

    Raises:
        ModelError: the model has tokens of several bases, or the context exceeds its maximum.
    """
    if model.tokenizer.bases_per_token != 1:
        raise ModelError(
            f"{model.card.name} has tokens of several bases: explain requires one token per base",
            code="unsupported-by-model",
        )
    return min(context_bases(model), LONGEST_CONTEXT) if context is None else context_bases(model, context)


class RegionTask:
    """Common part of the tasks that run a model and its null over windows of regions.

    Every base is scored in one window and has half a context to its left there, unless the sequence starts before.

    Attributes:
        source: the sequences.
        context: bases of a window.
    """

    __slots__ = ()
    source: Source
    context: int
    unit: ClassVar[str] = "sequences"

    def items(self) -> Iterator[SequenceRecord]:
        """Yield the sequences."""
        return self.source.read()

    def inputs(self) -> tuple[Path, ...]:
        """Return the input files."""
        return self.source.files()

    def cost(self, item: SequenceRecord) -> int:
        """Return the approximate number of bases that pass through both networks; overlaps are read twice."""
        return len(item.sequence) * (4 if len(item.sequence) > self.context else 2)

    def windows(self, items: Sequence[SequenceRecord], model: Model) -> list[Window[int]]:
        """Return windows that overlap by half; their origin is the index of the item."""
        overlap = self.context // 2
        return [
            window
            for index, item in enumerate(items)
            for window in tile(item.sequence, self.context, overlap=overlap, origin=index)
        ]

    def first_scored(self, window: Window[int]) -> int:
        """Return the first position of a window that is scored there and not in the window before."""
        return self.context // 2 if window.start else 0

    def subject(self, items: Sequence[SequenceRecord], window: Window[int], part: int) -> str:
        """Return the name of the window's sequence for messages."""
        return items[window.origin].named


def joined_outputs(
    items: Sequence[SequenceRecord], windows: Sequence[Window[int]], outputs: Sequence[NDArray[Any]], axis: int
) -> Iterator[tuple[SequenceRecord, NDArray[Any]]]:
    """Yield each sequence with the outputs of its windows, concatenated along the bases (``axis``)."""
    for index, item in enumerate(items):
        parts = [output for window, output in zip(windows, outputs) if window.origin == index]
        yield item, np.concatenate(parts, axis)


LOCATION_SCHEMA: dict[str, Any] = {
    "id": pl.String,
    "chrom": pl.String,
    "start": pl.Int64,
    "strand": pl.String,
}
"""Columns that locate a sequence: see :func:`location`."""


def location(record: SequenceRecord) -> dict[str, Any]:
    """Return the columns of `LOCATION_SCHEMA`; a sequence without coordinates starts at 0 of its own contig."""
    interval = record.interval
    start, strand = (interval.start, interval.strand) if interval else (0, "+")
    return {"id": record.id, "chrom": contig(record), "start": start, "strand": strand}


def contig(record: SequenceRecord) -> str:
    """Return the contig of a sequence; a sequence without coordinates is its own contig."""
    return record.interval.chrom if record.interval else record.id
