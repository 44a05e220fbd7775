"""What a verb is given to read: files or values in memory, settled so that they can be read again and again."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import polars as pl

from genolm.errors import InputError
from genolm.genome.contig_lengths import warn_of_lengths
from genolm.genome.fasta import Genome, GenomePolicy
from genolm.genome.formats import SEQUENCE_FORMATS
from genolm.genome.further_columns import FurtherColumn, further_columns, further_rows, further_series
from genolm.genome.in_memory import Named, Sequences, hold_sequences
from genolm.genome.interval import Interval
from genolm.genome.sequence import check_iupac
from genolm.genome.sequence_files import input_format
from genolm.genome.sequences import Reading, SequenceRecord, open_sequences
from genolm.genome.streams import is_stream, saved, warnings_renamed
from genolm.genome.tabular import is_table, read_table
from genolm.genome.variant import Variant

Kind = Literal["sequences", "intervals", "alleles"]
"""Without coordinates; with the coordinates of every base; with those of the window around an allele."""

IupacPolicy = Literal["raise", "N", "sample"]


@dataclass(frozen=True, slots=True)
class Source:
    """Sequences to run, and how to read them.

    Attributes:
        place: a path, a table, or a tuple of values.
        genome: FASTA in which intervals and variants are read.
        length: bases to which intervals are resized.
        iupac: what happens to ambiguous letters of sequences.
        kind: what coordinates the sequences have.
        genome_iupac: what happens to ambiguous letters of the genome.
        further: columns of a table that are kept beside the results.
    """

    place: Any
    genome: Path | None = None
    length: int | None = None
    iupac: IupacPolicy = "raise"
    kind: Kind = "sequences"
    genome_iupac: GenomePolicy = "N"
    further: tuple[FurtherColumn, ...] = ()

    def read(self) -> Iterator[SequenceRecord]:
        """The sequences in their order; can be called again."""
        records = self.read_values(self.place, self.length)
        read_before = isinstance(self.place, tuple)  # out of a stream: the records have their further values already
        return self._with_further(records) if self.further and not read_before else records

    def _with_further(self, records: Iterator[SequenceRecord]) -> Iterator[SequenceRecord]:
        """The records with the values of their rows."""
        rows, values, number = further_rows(self.place, self.further), (), -1
        for record in records:
            while record.row is not None and number < record.row:
                values, number = next(rows), number + 1
            yield replace(record, further=values)

    def read_values(self, place: Any, length: int | None = None) -> Iterator[SequenceRecord]:
        """Other values, read the same way."""
        genome = None if self.genome is None else Genome(self.genome, iupac=self.genome_iupac)
        return open_sequences(place).records(Reading.of(genome, length, self.iupac))

    def files(self) -> tuple[Path, ...]:
        """The files whose content decides the result."""
        return tuple(path for path in (self.place, self.genome) if isinstance(path, Path))


def settle(
    inputs: Sequences,
    *,
    genome: Genome | str | Path | None = None,
    length: int | None = None,
    iupac: IupacPolicy = "raise",
    keep_beside: Collection[str] | None = None,
) -> Source:
    """A source that can be read again, out of whatever a user passes.

    Standard input, pipes and iterators are read into memory here.

    Args:
        inputs: what :func:`genolm.genome.sequences.read_sequences` takes.
        genome: where intervals and variants are read.
        length: bases per sequence.
        iupac: what happens to ambiguous letters of sequences.
        keep_beside: names of the columns that the output has; the further columns of a table are kept beside them.
            None keeps none.

    Raises:
        InputError: nothing that can be read, or its first sequence cannot be; no such policy for ambiguous letters.
    """
    check_iupac(iupac, get_args(IupacPolicy))
    found: tuple[Path | None, GenomePolicy] = (None, "N") if genome is None else path_and_policy(genome)
    path, policy = found
    source = Source(hold_sequences(inputs), path, length, iupac, genome_iupac=policy)
    if isinstance(source.place, Path) and is_stream(source.place):
        with saved(source.place, ".fa") as copy, warnings_renamed(copy, source.place):
            copied = _completed(replace(source, place=copy), keep_beside)
            warn_of_lengths(copy, path)
            return replace(copied, place=tuple(copied.read()), length=None)
    return _completed(source, keep_beside)


def _completed(source: Source, keep_beside: Collection[str] | None) -> Source:
    """The source with its kind and its further columns."""
    further = () if keep_beside is None else _further(source.place, keep_beside)
    return replace(source, kind=_kind(source), further=further)


def path_and_policy(genome: Genome | str | Path) -> tuple[Path, GenomePolicy]:
    """Return the FASTA of a genome, and what happens to its ambiguous letters: N, unless an opened one says else."""
    return (genome.path, genome.iupac) if isinstance(genome, Genome) else (Path(genome), "N")


def _further(place: Any, own: Collection[str]) -> tuple[FurtherColumn, ...]:
    """The columns of a table that make no sequence; none of other inputs."""
    if not (is_table(place) or (isinstance(place, Path) and input_format(place) in ("table", "parquet"))):
        return ()
    table = read_table(place)
    used: tuple[str, ...]
    if table.has("sequence"):
        used = ("sequence", "id" if table.has("id") else "name")
    elif table.has("chrom", "start", "end"):
        used = ("chrom", "start", "end", "strand", "name" if table.has("name") else "id")
    else:
        used = ("chrom", "pos", "id", "ref", "alt", "variant")
    return further_columns(place, used, own)


def further_of(records: list[SequenceRecord], source: Source) -> dict[str, pl.Series]:
    """Return the further columns of some sequences by name."""
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


def _kind_of_values(given: tuple[Any, ...]) -> Kind:
    values = [value.value if isinstance(value, Named) else value for value in given]
    if any(isinstance(value, Variant) for value in values):
        return "alleles"
    placed = (isinstance(value, Interval) or getattr(value, "interval", None) is not None for value in values)
    return "intervals" if any(placed) else "sequences"


def _is_allele(name: str) -> bool:
    """Whether a record's name is ``VARIANT/ref`` or ``VARIANT/alt``."""
    variant, slash, allele = name.rpartition("/")
    if not slash or allele not in ("ref", "alt"):
        return False
    try:
        Variant.parse(variant)
    except InputError:
        return False
    return True


def coordinates(records: list[SequenceRecord], kind: Kind) -> dict[str, list[Any]]:
    """Columns ``id`` and, unless none has any, ``chrom``, ``start``, ``end`` (0-based, half-open) and ``strand``."""
    columns: dict[str, list[Any]] = {"id": [record.id for record in records]}
    if kind != "sequences":
        for name in ("chrom", "start", "end", "strand"):
            columns[name] = [getattr(record.interval, name, None) for record in records]
    return columns
