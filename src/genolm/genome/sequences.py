"""Sequences to put through a model, out of any source: files, tables, intervals, variants, text."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from genolm.errors import InputError
from genolm.files.lines import placed
from genolm.genome.bed import read_bed
from genolm.genome.fasta import Genome
from genolm.genome.in_memory import Named, hold_sequences
from genolm.genome.interval import Interval
from genolm.genome.off_contig import OffContig
from genolm.genome.records import Cleaner, FlatRecord, read_fastq
from genolm.genome.sequence import IupacPolicy, check_iupac, upper_dna
from genolm.genome.sequence_files import input_format, read_sequence_file
from genolm.genome.tabular import Table, is_table, present, read_table, required, whole
from genolm.genome.variant import ReferenceSource, Variant
from genolm.genome.vcf.vcf_records import VariantRecord, read_variants


@dataclass(frozen=True, slots=True)
class SequenceRecord:
    """A named sequence.

    Attributes:
        id: its name.
        sequence: upper-case letters, at least one.
        interval: where it was read; None when it didn't come from a genome. Of an alternative allele, the interval
            its reference was read from.
        about: what follows the name in the title of a FASTA record.
        row: of a table, the number of the row that it comes from, from 0; None for other sources.
        further: values of that row's further columns, where they are kept; see `genolm.genome.further_columns`.

    Raises:
        InputError: no name or no letters.
    """

    id: str
    sequence: str
    interval: Interval | None = None
    about: str = ""
    row: int | None = field(default=None, compare=False, repr=False)
    further: tuple[Any, ...] = field(default=(), compare=False, repr=False)

    def __post_init__(self) -> None:
        if not self.id:
            raise InputError("a sequence needs a name", value=self.sequence[:20])
        if "\n" in self.id or "\r" in self.id:
            raise InputError("the name of a sequence must be a single line", value=self.id)
        if not self.sequence:
            raise InputError("the sequence is empty", value=self.id)

    @property
    def named(self) -> str:
        """The sequence in words, for messages: its name, and its coordinates where the name doesn't hold them."""
        place = "" if self.interval is None or str(self.interval) in self.id else f" ({self.interval})"
        return f"sequence {self.id!r}{place}"


def read_sequences(
    source: Any,
    *,
    genome: Genome | str | Path | None = None,
    length: int | None = None,
    iupac: IupacPolicy = "N",
    rna: bool = False,
    seed: int = 0,
) -> Iterator[SequenceRecord]:
    """Yields the sequences of a source in its order.

    Args:
        source: a path, or values in memory.
            Files (also gzip and bgzip): FASTA (``-`` is standard input), GenBank, EMBL, FASTQ, BED, VCF and BCF,
            tables (TSV, CSV, text, parquet). Tables have a column ``sequence`` (and ``id``), or ``chrom, start, end``
            (0-based, half-open; and ``strand``, ``name``), or ``chrom, pos, ref, alt`` (1-based); a text file of
            nothing but DNA holds one sequence a line. In memory: such a table of polars or pandas, a dict of names and
            sequences, or a list of DNA texts, pairs ``(name, sequence)``, `Interval`, `Variant` and `SequenceRecord`;
            see `genolm.genome.in_memory.hold_sequences`.
        genome: where intervals and variants are read; a `Genome` or the path of its FASTA.
        length: bases per sequence: intervals are resized around their centre. Variants need it.
        iupac: what happens to ambiguous letters; see `genolm.genome.sequence.upper_dna`.
        rna: read U as T.
        seed: of ``iupac="sample"``.

    Yields:
        Records in upper case. A variant gives two per alternative, named ``chr1:10:A>C/ref`` and ``/alt``, both of
        ``length`` bases, the variant's first base at ``length // 2``; an indel takes what it needs from the right.
        A record without a name is called ``sequence1``, ``sequence2``, …, an interval without one by its text.

    Raises:
        InputError: with file and line, or ``inputs`` and the number of the value: whatever cannot be read; no genome
            or no ``length`` where one is needed, a ``length`` where nothing can be resized; REF that is not the
            reference.

    Warns:
        UserWarning: once, at the end, how many alternatives have no sequence (``<DEL>``, ``*``, …), or how many
            intervals lie mostly beyond the ends of their contig.
    """
    reading = Reading.of(
        Genome(genome, iupac="keep") if isinstance(genome, str | Path) else genome, length, iupac, rna, seed
    )
    return open_sequences(hold_sequences(source)).records(reading)


def allele_sequences(variant: Variant, genome: ReferenceSource, length: int) -> tuple[str, str]:
    """The sequences around the reference and the alternative allele, both of ``length`` bases.

    They start at the same base and the variant's first base stands at ``length // 2``; after the allele each goes on
    with the reference, so that a deletion brings in bases from the right and an insertion pushes some out.

    Raises:
        InputError: REF is not what the genome says.
    """
    variant.check(genome)
    start = variant.pos - 1 - length // 2
    after = variant.interval.end
    before = genome.fetch(variant.chrom, start, variant.pos - 1 + 1)[:-1]
    end = start + length + max(0, len(variant.ref) - len(variant.alt))
    rest = genome.fetch(variant.chrom, after - 1, max(end, after))[1:]
    return tuple((before + allele + rest)[:length] for allele in (variant.ref, variant.alt))  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class Reading:
    """Settings for reading sequences.

    Attributes:
        genome: genome in which intervals and variants are read.
        length: bases to which intervals are resized, and around each variant.
        clean: turns the letters of a record into the letters to use.
    """

    genome: Genome | None
    length: int | None
    clean: Cleaner

    @classmethod
    def of(
        cls, genome: Genome | None, length: int | None, iupac: IupacPolicy, rna: bool = False, seed: int = 0
    ) -> Reading:
        """Return settings with a policy for ambiguous letters; see `genolm.genome.sequence.upper_dna`.

        Raises:
            InputError: if the policy is unknown.
        """
        check_iupac(iupac)
        return cls(genome, length, partial(upper_dna, iupac=iupac, rna=rna, seed=seed))

    def interval(self, interval: Interval, name: str | None, off: OffContig, line: int) -> SequenceRecord:
        """Return the sequence of an interval, and count it in ``off`` if most of it lies off its contig."""
        window = interval if self.length is None else interval.resize(self.length)
        genome = self.reference("intervals")
        record = SequenceRecord(name or str(interval), self.clean(genome[window]), window)
        off.look(interval, genome, line)
        return record

    def alleles(self, variant: Variant) -> tuple[SequenceRecord, SequenceRecord]:
        """Return the sequences around the REF and the ALT allele of a variant."""
        genome = self.reference("variants")
        if self.length is None:
            raise InputError("variants need a length, --length: how many bases around each", value=str(variant))
        window = Interval(variant.chrom, variant.pos - 1, variant.pos).resize(self.length)
        ref, alt = allele_sequences(variant, genome, self.length)
        return (
            SequenceRecord(f"{variant}/ref", self.clean(ref), window),
            SequenceRecord(f"{variant}/alt", self.clean(alt), window),
        )

    def reference(self, what: str) -> Genome:
        """Return the genome; raise `InputError` if there is none."""
        if self.genome is None:
            raise InputError(f"{what} need a genome to be read from, --genome")
        return self.genome

    def refuse_length(self, file: Path | None) -> None:
        """Raise `InputError` if a length is set, for sequences, which are not resized."""
        if self.length is not None:
            raise InputError("--length resizes intervals and variants; sequences are taken as they are", file=file)


class SequenceReader(Protocol):
    """A source of sequences; a frozen value that can be read any number of times."""

    def records(self, reading: Reading) -> Iterator[SequenceRecord]:
        """Yield the sequences in the order of the source."""


def open_sequences(source: Any) -> SequenceReader:
    """Return the reader of a source: a path, a table in memory, or a tuple as `hold_sequences` returns it.

    Raises:
        InputError: if the ending of a file's name is unknown.
    """
    if not isinstance(source, Path):
        return _TableReader(source) if is_table(source) else _ValueReader(source)
    match input_format(source):
        case "bed":
            return _BedReader(source)
        case "vcf":
            return _VariantReader(source)
        case "table" | "parquet":
            return _TableReader(source)
        case "fastq":
            return _FileReader(source, read_fastq)
        case _:
            return _FileReader(source, read_sequence_file)


@dataclass(frozen=True, slots=True)
class _FileReader:
    """Reader of a file of sequences without coordinates."""

    path: Path
    read: Callable[[Path, Cleaner], Iterator[FlatRecord]]

    def records(self, reading: Reading) -> Iterator[SequenceRecord]:
        reading.refuse_length(self.path)
        records = self.read(self.path, reading.clean)
        return (SequenceRecord(record.id, record.sequence, about=record.about) for record in records)


@dataclass(frozen=True, slots=True)
class _BedReader:
    """Reader of the intervals of a BED file."""

    path: Path

    def records(self, reading: Reading) -> Iterator[SequenceRecord]:
        off = OffContig(self.path)
        for record in read_bed(self.path):
            with placed(self.path, record.line):
                sequence = reading.interval(record.interval, record.name, off, record.line)
            yield sequence
        off.report()


@dataclass(frozen=True, slots=True)
class _VariantReader:
    """Reader of the alleles of a VCF or BCF file."""

    path: Path

    def records(self, reading: Reading) -> Iterator[SequenceRecord]:
        return _alleles(read_variants(self.path), self.path, reading)


@dataclass(frozen=True, slots=True)
class _TableReader:
    """Reader of a table: sequences, intervals or variants, by its columns.

    Attributes:
        source: path of the table, or a table of polars or pandas.
    """

    source: Any

    def records(self, reading: Reading) -> Iterator[SequenceRecord]:
        table = read_table(self.source)
        if table.has("sequence"):
            reading.refuse_length(table.file)
            return _table_sequences(table, reading)
        if table.has("chrom", "start", "end"):
            return _table_intervals(table, reading)
        if table.has("chrom", "pos", "ref", "alt") or table.has("variant"):
            return _alleles(read_variants(table), table.file, reading)
        raise InputError(
            "a table of sequences has a column sequence, or chrom, start, end, or chrom, pos, ref, alt",
            file=table.file,
            value=table.header,
        )


@dataclass(frozen=True, slots=True)
class _ValueReader:
    """Reader of values in memory, each a text, `Named`, `Interval`, `Variant` or `SequenceRecord`."""

    values: Iterable[Any]

    def records(self, reading: Reading) -> Iterator[SequenceRecord]:
        off = OffContig("inputs")
        for number, value in enumerate(self.values, start=1):
            with placed("inputs", number):
                records = _value(value, number, off, reading)
            yield from records
        off.report()


def _table_sequences(table: Table, reading: Reading) -> Iterator[SequenceRecord]:
    for number, (line, (name, other, letters)) in enumerate(table.pick("id", "name", "sequence"), start=1):
        with placed(table.file, line):
            title = _text(name) or _text(other) or f"sequence{number}"
            record = SequenceRecord(title, reading.clean(_text(letters)))
        yield replace(record, row=number - 1)


def _table_intervals(table: Table, reading: Reading) -> Iterator[SequenceRecord]:
    off = OffContig(table.file)
    rows = table.pick("chrom", "start", "end", "strand", "name", "id")
    for number, (line, (chrom, start, end, strand, name, other)) in enumerate(rows):
        with placed(table.file, line):
            span = required(chrom, "chrom"), whole(start, "start"), whole(end, "end")
            sign = _text(strand)
            interval = Interval(*span, "+" if sign in ("", ".") else sign)
            record = reading.interval(interval, _text(name) or _text(other), off, line)
        yield replace(record, row=number)
    off.report()


def _alleles(variants: Iterable[VariantRecord], file: Path, reading: Reading) -> Iterator[SequenceRecord]:
    """Yield the REF and ALT sequences of every ALT allele that has a sequence."""
    skipped: Counter[str] = Counter()
    for record in variants:
        skipped.update(reason for reason in record.reasons if reason)
        for variant in filter(None, record.variants()):
            with placed(file, record.line):
                pair = reading.alleles(variant)
            yield from (replace(allele, row=record.index) for allele in pair)
    if skipped:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(skipped.items()))
        warnings.warn(f"{file}: alternatives without a sequence were passed over: {reasons}", stacklevel=2)


def _value(value: Any, number: int, off: OffContig, reading: Reading) -> tuple[SequenceRecord, ...]:
    """Return the record of a value in memory; two records for a variant."""
    if str(value) and present(value) is None:
        raise InputError("the value is missing; leave it out", value=value)
    if isinstance(value, str):
        reading.refuse_length(None)
        return (SequenceRecord(f"sequence{number}", reading.clean(value)),)
    if isinstance(value, Named):
        return _named(value, number, off, reading)
    if isinstance(value, SequenceRecord):
        return (replace(value, sequence=reading.clean(value.sequence)),)
    if isinstance(value, Interval):
        return (reading.interval(value, None, off, number),)
    if isinstance(value, Variant):
        return reading.alleles(value)
    raise InputError("neither DNA, nor an Interval, a Variant or a SequenceRecord", value=value)


def _named(named: Named, number: int, off: OffContig, reading: Reading) -> tuple[SequenceRecord, ...]:
    """Return the records of a named value under its name; those of a variant are ``NAME/ref`` and ``NAME/alt``."""
    if isinstance(named.value, str):
        reading.refuse_length(None)
        return (SequenceRecord(named.name, reading.clean(named.value)),)
    records = _value(named.value, number, off, reading)
    suffixes = ("",) if len(records) == 1 else ("/ref", "/alt")
    return tuple(replace(record, id=named.name and named.name + suffix) for record, suffix in zip(records, suffixes))


def _text(value: object) -> str:
    """The text of a cell; empty where the value is missing."""
    return "" if present(value) is None else required(value, "")
