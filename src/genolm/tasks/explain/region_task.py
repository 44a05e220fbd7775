"""The sequences that are looked at, and how long ones are cut."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from genolm.engine.windows import Window, tile
from genolm.errors import InputError, ModelError
from genolm.genome.contig_lengths import warn_of_lengths
from genolm.genome.in_memory import Sequences
from genolm.genome.interval import Interval
from genolm.genome.sequences import SequenceRecord
from genolm.tasks.reading.model_limits import context_bases
from genolm.tasks.reading.sources import IupacPolicy, Source, settle

if TYPE_CHECKING:
    from genolm.genome.fasta import Genome
    from genolm.models.model import Model

LONGEST_CONTEXT = 8192
"""Bases read together unless more is asked for."""


def settle_regions(
    inputs: Sequences,
    *,
    genome: Genome | str | Path | None = None,
    length: int | None = None,
    iupac: IupacPolicy = "raise",
) -> Source:
    """The source of what a user names: a file, values in memory, or one interval as ``chr22:1,001-2,000``.

    Raises:
        InputError: nothing that can be read, or variants, which have two sequences for one place.
    """
    if isinstance(inputs, str) and inputs != "-" and not Path(inputs).exists() and ":" in inputs:
        inputs = Interval.parse(inputs)
    source = settle(inputs, genome=genome, length=length, iupac=iupac)
    if source.kind == "alleles":
        raise InputError(
            "explain reads sequences and intervals; variants have two sequences for one place",
            file=source.place if isinstance(source.place, Path) else None,
        )
    warn_of_lengths(source.place, source.genome)
    return source


def refuse_empty(source: Source, *, predicted: bool = False) -> None:
    """Looks, before anything is computed or written, whether there is something to explain.

    Args:
        source: the sequences.
        predicted: whether it takes a base that has another one before it.

    Raises:
        InputError: there is no sequence, or no such base.
    """
    file = source.place if isinstance(source.place, Path) else None
    records = source.read()
    first = next(records, None)
    if first is None:
        raise InputError("there are no regions to explain", file=file)
    if predicted and not any(set(one.sequence[1:]) - {"N"} for one in chain((first,), records)):
        raise InputError("no base of the input has another base before it: there is nothing to predict", file=file)


def fitting_context(model: Model, context: int | None) -> int:
    """Bases read together: ``context``, or as many as the model reads up to :data:`LONGEST_CONTEXT`.

    Raises:
        ModelError: the model reads tokens of several bases, or not so many bases.
    """
    if model.tokenizer.bases_per_token != 1:
        raise ModelError(f"{model.card.name} has tokens of several bases; explain needs one token per base")
    return min(context_bases(model), LONGEST_CONTEXT) if context is None else context_bases(model, context)


def overlap_of(context: int) -> int:
    """Bases that a window after the first has on its left before it counts."""
    return context // 2


def cut(items: Sequence[SequenceRecord], context: int) -> list[Window]:
    """Windows of ``context`` bases, each beginning half a window before the last one's end; origin: the item's number.

    Every base counts in one window, and has half a context to its left there unless the sequence begins before that.
    """
    return [
        window
        for number, item in enumerate(items)
        for window in tile(item.sequence, context, overlap=overlap_of(context), origin=number)
    ]


def bases_of_twins(item: SequenceRecord, context: int) -> int:
    """Bases that go through a network and its null, about: windows of a long sequence read most bases twice."""
    return len(item.sequence) * (4 if len(item.sequence) > context else 2)


def first_own(window: Window, context: int) -> int:
    """The first position of a window that counts in it."""
    return overlap_of(context) if window.start else 0


def contig(record: SequenceRecord) -> str:
    """The contig that a sequence lies on; a sequence without coordinates is its own."""
    return record.interval.chrom if record.interval else record.id
