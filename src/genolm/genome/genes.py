"""Transcripts with their exons, read from and written to GTF.

GTF positions are 1-based and inclusive; a `Transcript` is 0-based and half-open like everything in memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from genolm.errors import InputError
from genolm.genome.interval import Interval
from genolm.genome.lines import text_lines

_ATTRIBUTE = re.compile(r'(\w+) (?:"([^"]*)"|([^\s;]+))')
_USED = ("exon", "CDS", "stop_codon")


@dataclass(frozen=True, slots=True)
class Transcript:
    """One transcript of a gene.

    Attributes:
        id: the transcript's name.
        gene: the gene's name.
        exons: exons by rising coordinate, 0-based half-open, all on one contig and strand.
        coding: from the start codon to the stop codon, both included, introns not cut out; None if non-coding.
        symbol: what people call the gene; empty where the file does not say.
    """

    id: str
    gene: str
    exons: tuple[Interval, ...]
    coding: Interval | None = None
    symbol: str = ""

    def __post_init__(self) -> None:
        if not self.exons:
            raise InputError("a transcript has at least one exon", value=self.id)
        for left, right in zip(self.exons, self.exons[1:]):
            if (left.chrom, left.strand) != (right.chrom, right.strand):
                raise InputError("the exons of a transcript lie on one contig and strand", value=self.id)
            if right.start < left.end:
                raise InputError("the exons of a transcript are sorted and do not overlap", value=self.id)
        if self.coding is not None and not self.interval.contains(self.coding):
            raise InputError("the coding part lies inside the transcript", value=self.id)

    @property
    def interval(self) -> Interval:
        """From the first to the last exon."""
        first = self.exons[0]
        return Interval(first.chrom, first.start, self.exons[-1].end, first.strand)

    @property
    def introns(self) -> tuple[Interval, ...]:
        """The gaps between the exons, by rising coordinate."""
        pairs = zip(self.exons, self.exons[1:])
        return tuple(Interval(left.chrom, left.end, right.start, left.strand) for left, right in pairs)

    @property
    def tss(self) -> int:
        """0-based position of the first transcribed base."""
        return self.interval.start if self.interval.strand == "+" else self.interval.end - 1

    @property
    def coding_exons(self) -> tuple[Interval, ...]:
        """The coding part of each exon, stop codon included, by rising coordinate."""
        return () if self.coding is None else _clip(self.exons, self.coding.start, self.coding.end)


def read_gtf(path: str | Path) -> Iterator[Transcript]:
    """Read the transcripts of a GTF (plain, gzip or bgzip), in the order in which their first exon appears.

    Only the features ``exon``, ``CDS`` and ``stop_codon`` are looked at.

    Raises:
        InputError: a line without nine columns, a position that is no number, no ``transcript_id``; names file, line.
    """
    path = Path(path)
    drafts: dict[str, Draft] = {}
    for number, line in text_lines(path):
        if not line.strip() or line.startswith("#"):
            continue
        columns = line.split("\t")
        if len(columns) != 9:
            raise InputError(f"a GTF line has 9 columns, this one {len(columns)}", file=path, line=number)
        if columns[2] in _USED:
            _add(drafts, columns, path, number)
    for draft in drafts.values():
        if draft.exons:
            yield draft.transcript()


def write_gtf(path: str | Path, transcripts: Iterable[Transcript], *, source: str = "genolm") -> Path:
    """Write transcripts as GTF features gene, transcript, exon, CDS (without the stop codon) and stop_codon.

    Features are written in the order of the transcript (5' to 3'), exons are numbered, and the frame of a CDS is the
    number of its first bases that complete a codon begun before it. The file appears only when it is complete.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("w", encoding="utf-8", newline="\n") as file:
            for transcript in transcripts:
                file.writelines(_gtf_lines(transcript, source))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


@dataclass(slots=True)
class Draft:
    """A transcript while its features are read; they may come in any order."""

    id: str
    gene: str
    symbol: str = ""
    exons: list[Interval] = field(default_factory=list)
    coding: list[Interval] = field(default_factory=list)

    def transcript(self) -> Transcript:
        """The transcript; the coding part reaches from the first to the last coding feature."""
        coding = None
        if self.coding:
            first = self.coding[0]
            start, end = min(part.start for part in self.coding), max(part.end for part in self.coding)
            coding = Interval(first.chrom, start, end, first.strand)
        return Transcript(self.id, self.gene, tuple(sorted(self.exons)), coding, self.symbol)


def _add(drafts: dict[str, Draft], columns: list[str], path: Path, number: int) -> None:
    attributes = {name: quoted or bare for name, quoted, bare in _ATTRIBUTE.findall(columns[8])}
    name = attributes.get("transcript_id")
    if not name:
        raise InputError("a GTF feature without transcript_id", file=path, line=number, value=columns[8])
    draft = drafts.setdefault(name, Draft(name, attributes.get("gene_id", name), attributes.get("gene_name", "")))
    part = feature_interval(columns, path, number)
    (draft.exons if columns[2] == "exon" else draft.coding).append(part)


def feature_interval(columns: list[str], path: Path, number: int, form: str = "GTF") -> Interval:
    """Where a line of nine columns lies.

    Raises:
        InputError: a position that is no number or out of order, a strand that is neither; names file and line.
    """
    try:
        start, end = int(columns[3]), int(columns[4])
    except ValueError as error:
        raise InputError(f"a {form} position is no number", file=path, line=number, value=columns[3:5]) from error
    if not 1 <= start <= end:
        raise InputError(f"a {form} feature needs 1 <= start <= end", file=path, line=number, value=columns[3:5])
    if columns[6] not in "+-" or not columns[6]:
        raise InputError(f"a {form} strand is + or -", file=path, line=number, value=columns[6])
    return Interval(columns[0], start - 1, end, columns[6])


def _clip(parts: Iterable[Interval], start: int, end: int) -> tuple[Interval, ...]:
    """The pieces of `parts` inside ``[start, end)``."""
    kept = (part for part in parts if part.start < end and part.end > start)
    return tuple(Interval(part.chrom, max(part.start, start), min(part.end, end), part.strand) for part in kept)


def _gtf_lines(transcript: Transcript, source: str) -> Iterator[str]:
    names = f'gene_id "{transcript.gene}"; transcript_id "{transcript.id}";'

    def line(feature: str, part: Interval, frame: str = ".", attributes: str = names) -> str:
        columns = (part.chrom, source, feature, part.start + 1, part.end, ".", part.strand, frame, attributes)
        return "\t".join(map(str, columns)) + "\n"

    yield line("gene", transcript.interval, attributes=f'gene_id "{transcript.gene}";')
    yield line("transcript", transcript.interval)
    for number, exon in enumerate(_in_order(transcript.exons), start=1):
        yield line("exon", exon, attributes=f'{names} exon_number "{number}";')
    coding, stop = _split_stop(transcript)
    for feature, parts in (("CDS", coding), ("stop_codon", stop)):
        for part, frame in _with_frames(parts):
            yield line(feature, part, str(frame))


def _in_order(parts: tuple[Interval, ...]) -> tuple[Interval, ...]:
    """5' to 3'."""
    return parts[::-1] if parts and parts[0].strand == "-" else parts


def _split_stop(transcript: Transcript) -> tuple[tuple[Interval, ...], tuple[Interval, ...]]:
    """Coding parts without the stop codon, and the stop codon's parts (an intron may cut it)."""
    left, coding, stop = 3, list[Interval](), list[Interval]()
    for part in reversed(_in_order(transcript.coding_exons)):
        taken = min(left, len(part))
        left -= taken
        body, tail = _cut_three_prime(part, taken)
        coding += [body] if body else []
        stop += [tail] if tail else []
    return tuple(reversed(coding)), tuple(reversed(stop))


def _cut_three_prime(part: Interval, taken: int) -> tuple[Interval | None, Interval | None]:
    cut = part.end - taken if part.strand == "+" else part.start + taken
    low = Interval(part.chrom, part.start, cut, part.strand) if cut > part.start else None
    high = Interval(part.chrom, cut, part.end, part.strand) if cut < part.end else None
    return (low, high) if part.strand == "+" else (high, low)


def _with_frames(parts: tuple[Interval, ...]) -> Iterator[tuple[Interval, int]]:
    done = 0
    for part in parts:
        yield part, -done % 3
        done += len(part)
