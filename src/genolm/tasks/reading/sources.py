"""Sources of sequences: files or values in memory that can be read repeatedly."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import polars as pl

from genolm.errors import InputError
from genolm.genome.contig_lengths import warn_of_lengths
from genolm.genome.fasta import Genome, GenomePolicy
from genolm.genome.formats import SEQUENCE_FORMATS
from genolm.genome.further_columns import FurtherColumn, further_columns, further_series, with_further
from genolm.genome.in_memory import hold_sequences
from genolm.genome.input_values import HeldSequences, Named, SequenceRecord, Sequences, Value
from genolm.genome.interval import Interval
from genolm.genome.sequence import check_iupac
from genolm.genome.sequence_files import input_format
from genolm.genome.sequences import Reading, open_sequences
from genolm.genome.streams import is_stream, notes_renamed, saved
from genolm.genome.tabular import read_table
from genolm.genome.variant import Variant

Kind = Literal["sequences", "intervals", "alleles"]
"""Coordinates of a source: none; those of every base; those of the window around an allele."""

IupacPolicy = Literal["raise", "N", "sample"]


@dataclass(frozen=True, slots=True)
class Source:
    """Sequences of a run, with the settings for reading them.

    Attributes:
        place: the sequences: a file, a table, or values in memory.
        genome: FASTA from which intervals and variants are read.
        length: length in bases to which intervals are resized.
        iupac: treatment of ambiguity codes in sequences.
        kind: coordinates of the sequences.
        genome_iupac: treatment of ambiguity codes in the genome.
        further: columns of a table that are copied to the output.
    """

    place: HeldSequences
    genome: Path | None = None
    length: int | None = None
    iupac: IupacPolicy = "raise"
    kind: Kind = "sequences"
    genome_iupac: GenomePolicy = "N"
    further: tuple[FurtherColumn, ...] = ()

    def read(self) -> Iterator[SequenceRecord]:
        """Yield the sequences in input order; can be called repeatedly."""
        records = self.read_values(self.place, self.length)
        if not self.further or isinstance(self.place, tuple):  # records of a stream already have their further values
            return records
        return with_further(records, self.place, self.further)

    def read_values(
        self, values: HeldSequences | Iterable[Value], length: int | None = None
    ) -> Iterator[SequenceRecord]:
        """Yield the sequences of other values, read with the same settings."""
        genome = None if self.genome is None else Genome(self.genome, iupac=self.genome_iupac)
        return open_sequences(values).records(Reading.of(genome, length, self.iupac))

    def files(self) -> tuple[Path, ...]:
        """Return the input files."""
        return tuple(path for path in (self.place, self.genome) if isinstance(path, Path))


def open_source(
    inputs: Sequences,
    *,
    genome: Genome | str | Path | None = None,
    length: int | None = None,
    iupac: IupacPolicy = "raise",
    output_columns: Collection[str] | None = None,
) -> Source:
    """Return a source that can be read repeatedly.

    What the input stands for is decided by :func:`genolm.genome.in_memory.hold_sequences`. Standard input, pipes and
    iterators are read into memory.

    Args:
        inputs: the sequences, or intervals and variants of the genome.
        genome: genome from which intervals and variants are read.
        length: length in bases to which intervals are resized.
        iupac: treatment of ambiguity codes in sequences.
        output_columns: column names of the output, if the further columns of a table are to be copied to it.

    Raises:
        InputError: if the input or its first sequence cannot be read, or the policy for ambiguity codes is unknown.
    """
    check_iupac(iupac, get_args(IupacPolicy))
    path: Path | None = None
    policy: GenomePolicy = "N"
    if genome is not None:
        path, policy = path_and_policy(genome)
    source = Source(hold_sequences(inputs), path, length, iupac, genome_iupac=policy)
    if isinstance(source.place, Path) and is_stream(source.place):
        with saved(source.place, ".fa") as copy, notes_renamed(copy, source.place):
            copied = _completed(replace(source, place=copy), output_columns)
            warn_of_lengths(copy, path)
            return replace(copied, place=tuple(copied.read()), length=None)
    return _completed(source, output_columns)


def refuse_located(source: Source, requirement: str) -> None:
    """Raise `InputError` if the values of a source are intervals or variants.

    Args:
        source: the sequences.
        requirement: what the verb accepts, for the message: ``prompts must be sequences``.
    """
    values = source.place if isinstance(source.place, tuple) else ()
    for value in values:
        plain = value.value if isinstance(value, Named) else value
        if isinstance(plain, Interval | Variant):
            raise InputError(f"{requirement}, not intervals or variants", value=str(plain))


def _completed(source: Source, output_columns: Collection[str] | None) -> Source:
    """Return the source with its kind and its further columns."""
    further = () if output_columns is None else _further(source.place, output_columns)
    return replace(source, kind=_kind(source), further=further)


def path_and_policy(genome: Genome | str | Path) -> tuple[Path, GenomePolicy]:
    """Return the FASTA of a genome and its policy for ambiguity codes: N unless an opened genome has another.

    Raises:
        InputError: the value is neither a genome nor a path.
    """
    if not isinstance(genome, Genome | str | os.PathLike):
        raise InputError("expected a Genome, or the path of its FASTA", value=genome)
    return (genome.path, genome.iupac) if isinstance(genome, Genome) else (Path(genome), "N")


def _further(inputs: HeldSequences, output_columns: Collection[str]) -> tuple[FurtherColumn, ...]:
    """Return the columns of a table that do not define a sequence; none for other inputs."""
    if isinstance(inputs, tuple) or (isinstance(inputs, Path) and input_format(inputs) not in ("table", "parquet")):
        return ()
    table = read_table(inputs)
    used: tuple[str, ...]
    if table.has("sequence"):
        used = ("sequence", "id" if table.has("id") else "name")
    elif table.has("chrom", "start", "end"):
        used = ("chrom", "start", "end", "strand", "name" if table.has("name") else "id")
    else:
        used = ("chrom", "pos", "id", "ref", "alt", "variant")
    return further_columns(inputs, used, output_columns)


def further_of(records: list[SequenceRecord], source: Source) -> dict[str, pl.Series]:
    """Return the further columns of sequences by name."""
    return further_series(source.further, [record.further for record in records])


def _kind(source: Source) -> Kind:
    if isinstance(source.place, tuple):
        return _kind_of_values(source.place)
    if isinstance(source.place, Path) and input_format(source.place) in SEQUENCE_FORMATS:
        return "sequences"
    record = next(source.read(), None)
    if record is None or record.interval is None:
        return "sequences"
    return "alleles" if _is_allele(record.id) else "intervals"


def _kind_of_values(inputs: tuple[Value, ...]) -> Kind:
    values = [value.value if isinstance(value, Named) else value for value in inputs]
    if any(isinstance(value, Variant) for value in values):
        return "alleles"
    located = (isinstance(value, Interval) or getattr(value, "interval", None) is not None for value in values)
    return "intervals" if any(located) else "sequences"


def _is_allele(name: str) -> bool:
    """Return whether the name of a record is ``VARIANT/ref`` or ``VARIANT/alt``."""
    variant, slash, allele = name.rpartition("/")
    if not slash or allele not in ("ref", "alt"):
        return False
    try:
        Variant.parse(variant)
    except InputError:
        return False
    return True


def coordinates(records: list[SequenceRecord], kind: Kind) -> dict[str, list[Any]]:
    """Return the columns ``id`` and, with coordinates, ``chrom, start, end`` (0-based, half-open) and ``strand``."""
    columns: dict[str, list[Any]] = {"id": [record.id for record in records]}
    if kind != "sequences":
        for name in ("chrom", "start", "end", "strand"):
            columns[name] = [getattr(record.interval, name, None) for record in records]
    return columns
