"""Reader of sequences from any source: files, tables, intervals, variants and strings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from genolm.errors import InputError
from genolm.files.lines import locate_errors
from genolm.genome.bed import read_bed
from genolm.genome.fasta import Genome
from genolm.genome.in_memory import hold_sequences
from genolm.genome.input_values import HeldSequences, Named, Sequences, Value
from genolm.genome.input_values import SequenceRecord as SequenceRecord
from genolm.genome.interval import Interval
from genolm.genome.records import Cleaner, FlatRecord, read_fastq
from genolm.genome.sequence import IupacPolicy, check_iupac, upper_dna
from genolm.genome.sequence_files import input_format, read_sequence_file
from genolm.genome.tabular import Frame, Table, present, read_table, required, whole
from genolm.genome.variant import ReferenceSource, Variant
from genolm.genome.vcf.vcf_records import VariantRecord, read_variants
from genolm.notes import note
from genolm.remedies import Remedy


def read_sequences(
    source: Sequences,
    *,
    genome: Genome | str | Path | None = None,
    length: int | None = None,
    iupac: IupacPolicy = "N",
    rna: bool = False,
    seed: int = 0,
) -> Iterator[SequenceRecord]:
    """Yield the sequences of a source in order.

    Args:
        source: a path, or values in memory.
            Files (plain, gzip or bgzip): FASTA (``-`` is standard input), GenBank, EMBL, FASTQ, BED, VCF, BCF and
            tables (TSV, CSV, text, parquet). Tables have a column ``sequence`` (and ``id``), or ``chrom, start, end``
            (0-based, half-open; optionally ``strand``, ``name``), or ``chrom, pos, ref, alt`` (1-based); a text file
            of DNA has one sequence per line. In memory: such a polars or pandas table, a dict of names and sequences,
            or a list of DNA strings, pairs ``(name, sequence)``, `Interval`, `Variant` and `SequenceRecord`; see
            `genolm.genome.in_memory.hold_sequences`.
        genome: genome of intervals and variants, as a `Genome` or the path of its FASTA.
        length: bases per sequence; intervals are resized around their centre. Required for variants.
        iupac: treatment of ambiguity codes; see `genolm.genome.sequence.upper_dna`.
        rna: read U as T.
        seed: random seed of ``iupac="sample"``.

    Yields:
        Records in upper case. A variant gives two records per ALT allele, named ``chr1:10:A>C/ref`` and ``/alt``, each
        of ``length`` bases with the first base of the variant at ``length // 2``; indels are balanced on the right.
        Records without a name are called ``sequence1``, ``sequence2``, …; intervals by their text.

    Raises:
        InputError: the input is invalid (with file and line, or ``inputs`` and the number of the value); ``genome`` or
            ``length`` is missing, or ``length`` is given for complete sequences; REF does not match the reference.

    Notes:
        Once, at the end: number of ALT alleles without a sequence (``<DEL>``, ``*``, …), or of intervals
            mostly beyond their contig.
    """
    reading = Reading.of(
        Genome(genome, iupac="keep") if isinstance(genome, str | Path) else genome, length, iupac, rna, seed
    )
    return open_sequences(hold_sequences(source)).records(reading)


def allele_sequences(variant: Variant, genome: ReferenceSource, length: int) -> tuple[str, str]:
    """Return the sequences around the REF and ALT allele, each of ``length`` bases.

    Both start at the same reference base, with the first base of the variant at ``length // 2``. After the allele they
    continue with the reference, so a deletion adds bases on the right and an insertion removes some.

    Raises:
        InputError: REF does not match the genome.
    """
    variant.check(genome)
    start = variant.pos - 1 - length // 2
    after = variant.interval.end
    before = genome.fetch(variant.chrom, start, variant.pos - 1 + 1)[:-1]
    end = start + length + max(0, len(variant.ref) - len(variant.alt))
    rest = genome.fetch(variant.chrom, after - 1, max(end, after))[1:]
    return tuple((before + allele + rest)[:length] for allele in (variant.ref, variant.alt))  # type: ignore[return-value]


@dataclass(slots=True)
class _OffContig:
    """Summary of the intervals of one source that are mostly beyond their contig and read as N.

    Attributes:
        file: the source.
        count: number of these intervals.
    """

    file: Path | str
    count: int = 0
    _first: tuple[int, Interval, int] | None = None

    def look(self, interval: Interval, genome: Genome, line: int) -> None:
        """Count an interval if more than half of it is beyond its contig.

        Args:
            interval: the interval before resizing.
            genome: the genome with its contig.
            line: line or row of the source, 1-based.
        """
        length = genome.lengths[genome.resolve(interval.chrom)]
        inside = min(interval.end, length) - max(interval.start, 0)
        if 2 * inside < len(interval):
            self.count += 1
            self._first = self._first or (line, interval, length)

    def report(self) -> None:
        """Make one note about these intervals, if there are any."""
        if self._first is None:
            return
        line, interval, length = self._first
        many = f"{self.count:,} intervals lie mostly beyond the ends of their contig and read N there"
        which = many if self.count > 1 else "1 interval lies mostly beyond the ends of its contig and reads N there"
        text = f"{which}; here {interval.chrom} has {length:,} bases: is it of another genome build?"
        note(str(InputError(text, file=self.file, line=line, value=str(interval))))


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

    def interval(self, interval: Interval, name: str | None, off: _OffContig, line: int) -> SequenceRecord:
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
            raise InputError(
                "variants require a length, in bases per sequence",
                value=str(variant),
                code="missing-argument",
                remedy=Remedy("length"),
            )
        window = Interval(variant.chrom, variant.pos - 1, variant.pos).resize(self.length)
        ref, alt = allele_sequences(variant, genome, self.length)
        return (
            SequenceRecord(f"{variant}/ref", self.clean(ref), window),
            SequenceRecord(f"{variant}/alt", self.clean(alt), window),
        )

    def reference(self, what: str) -> Genome:
        """Return the genome; raise `InputError` if there is none."""
        if self.genome is None:
            raise InputError(f"{what} require a genome", code="missing-argument", remedy=Remedy("genome"))
        return self.genome

    def refuse_length(self, file: Path | None) -> None:
        """Raise `InputError` if a length is set, for sequences, which are not resized."""
        if self.length is not None:
            raise InputError(
                "a length applies to intervals and variants, not to sequences", file=file, code="inapplicable-argument"
            )


class SequenceReader(Protocol):
    """A source of sequences; a frozen value that can be read any number of times."""

    def records(self, reading: Reading) -> Iterator[SequenceRecord]:
        """Yield the sequences in the order of the source."""


def open_sequences(source: HeldSequences | Iterable[Value]) -> SequenceReader:
    """Return the reader of a source as `hold_sequences` returns it, or of further values of that kind.

    Raises:
        InputError: if the ending of a file's name is unknown.
    """
    if isinstance(source, Frame):
        return _TableReader(source)
    if not isinstance(source, Path):
        return _ValueReader(source)
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
        off = _OffContig(self.path)
        for record in read_bed(self.path):
            with locate_errors(self.path, record.line):
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

    source: Path | Frame

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
            "a table of sequences must have the column sequence, or chrom, start, end, or chrom, pos, ref, alt",
            file=table.file,
            value=table.header,
        )


@dataclass(frozen=True, slots=True)
class _ValueReader:
    """Reader of values in memory, each letters, `Named`, `Interval`, `Variant` or `SequenceRecord`."""

    values: Iterable[Value]

    def records(self, reading: Reading) -> Iterator[SequenceRecord]:
        off = _OffContig("inputs")
        for number, value in enumerate(self.values, start=1):
            with locate_errors("inputs", number):
                records = _value(value, number, off, reading)
            yield from records
        off.report()


def _table_sequences(table: Table, reading: Reading) -> Iterator[SequenceRecord]:
    for number, (line, (name, other, letters)) in enumerate(table.pick("id", "name", "sequence"), start=1):
        with locate_errors(table.file, line):
            title = _text(name) or _text(other) or f"sequence{number}"
            record = SequenceRecord(title, reading.clean(_text(letters)))
        yield replace(record, row=number - 1)


def _table_intervals(table: Table, reading: Reading) -> Iterator[SequenceRecord]:
    off = _OffContig(table.file)
    rows = table.pick("chrom", "start", "end", "strand", "name", "id")
    for number, (line, (chrom, start, end, strand, name, other)) in enumerate(rows):
        with locate_errors(table.file, line):
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
            with locate_errors(file, record.line):
                pair = reading.alleles(variant)
            yield from (replace(allele, row=record.index) for allele in pair)
    if skipped:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(skipped.items()))
        note(f"{file}: skipped ALT alleles without a sequence: {reasons}")


def _value(value: Value, number: int, off: _OffContig, reading: Reading) -> tuple[SequenceRecord, ...]:
    """Return the record of a value in memory; two records for a variant."""
    match value:
        case str():
            reading.refuse_length(None)
            return (SequenceRecord(f"sequence{number}", reading.clean(value)),)
        case Named():
            return _named(value, number, off, reading)
        case SequenceRecord():
            return (replace(value, sequence=reading.clean(value.sequence)),)
        case Interval():
            return (reading.interval(value, None, off, number),)
        case Variant():
            return reading.alleles(value)


def _named(named: Named, number: int, off: _OffContig, reading: Reading) -> tuple[SequenceRecord, ...]:
    """Return the records of a named value under its name; those of a variant are ``NAME/ref`` and ``NAME/alt``."""
    if isinstance(named.value, str):
        reading.refuse_length(None)
        return (SequenceRecord(named.name, reading.clean(named.value)),)
    records = _value(named.value, number, off, reading)
    suffixes = ("",) if len(records) == 1 else ("/ref", "/alt")
    return tuple(replace(record, id=named.name and named.name + suffix) for record, suffix in zip(records, suffixes))


def _text(value: object) -> str:
    """Return the text of a cell; empty if the value is missing."""
    return "" if present(value) is None else required(value, "")
