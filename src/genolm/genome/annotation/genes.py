"""Transcripts with their exons, read from and written to GTF.

GTF positions are 1-based and inclusive; a `Transcript` is 0-based and half-open like everything in memory.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from genolm.errors import InputError
from genolm.files.atomic import atomic_file
from genolm.genome.annotation.annotation_lines import (
    annotation_lines,
    feature_interval,
    gtf_attributes,
    is_unstranded,
    within_circle,
)
from genolm.genome.interval import Interval
from genolm.genome.left_out import LeftOut

PARTS = ("exon", "CDS", "stop_codon")
"""Features that make up a transcript."""


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
    """Read the transcripts of a GTF (plain, gzip or bgzip), in the order in which their first feature appears.

    Only the features ``exon``, ``CDS`` and ``stop_codon`` are read. A transcript whose ``transcript_id`` appears on
    several contigs is one transcript on each. Where a transcript has coding features and no exons, as in bacterial
    files, the coding features are its exons.

    Raises:
        InputError: a line without nine columns, a position that is not a whole number, or no transcript that can be
            used; names file and line.

    Warns:
        UserWarning: once, of features without ``transcript_id`` and of transcripts without a strand, on both strands,
            or with exons that overlap: they are left out.
    """
    path = Path(path)
    drafts: dict[tuple[str, str], Draft] = {}
    left_out = LeftOut(path)
    for number, columns in annotation_lines(path, "GTF"):
        if columns[2] in PARTS:
            _add(drafts, columns, left_out, number)
    yield from finished(drafts.values(), left_out)


def write_gtf(path: str | Path, transcripts: Iterable[Transcript], *, source: str = "genolm") -> Path:
    """Write transcripts as GTF features gene, transcript, exon, CDS (without the stop codon) and stop_codon.

    Features are written in the order of the transcript (5' to 3'), exons are numbered, and the frame of a CDS is the
    number of its first bases that complete a codon begun before it. The file appears only when it is complete.
    """
    path = Path(path)
    with atomic_file(path) as partial, partial.open("w", encoding="utf-8", newline="\n") as file:
        for transcript in transcripts:
            file.writelines(_gtf_lines(transcript, source))
    return path


@dataclass(slots=True)
class Draft:
    """A transcript of one contig while its features are read; they may come in any order.

    Attributes:
        id: the transcript's name.
        gene: the gene's name.
        line: line of its first feature, 1-based.
        symbol: what people call the gene.
        exons: as they were read.
        coding: likewise.
        unstranded: whether a feature does not say on which strand it lies.
    """

    id: str
    gene: str
    line: int
    symbol: str = ""
    exons: list[Interval] = field(default_factory=list)
    coding: list[Interval] = field(default_factory=list)
    unstranded: bool = False

    def add(self, columns: list[str], path: Path, number: int, form: str) -> None:
        """Add the feature of a line.

        Raises:
            InputError: see `feature_interval`.
        """
        part = feature_interval(columns, path, number, form)
        (self.exons if columns[2] == "exon" else self.coding).append(part)
        self.unstranded |= is_unstranded(columns)

    @property
    def flaw(self) -> str:
        """Why no transcript can be made of it; empty if one can."""
        if self.unstranded:
            return "a transcript without a strand"
        if len({part.strand for part in (*self.exons, *self.coding)}) > 1:
            return "a transcript with exons on both strands"
        exons = sorted(set(self.exons))
        if any(right.start < left.end for left, right in itertools.pairwise(exons)):
            return "a transcript with exons that overlap"
        if exons and any(part.start < exons[0].start or part.end > exons[-1].end for part in self.coding):
            return "a transcript with a coding part outside its exons"
        return ""

    def transcripts(self, circles: Mapping[str, int]) -> Iterator[Transcript]:
        """Yield the transcript; where it crosses the origin of a circular contig, what lies before it and behind it.

        The coding part reaches from the first to the last coding feature.

        Args:
            circles: bases of the circular contigs.
        """
        exons = sorted(set(self.exons)) or _joined(self.coding)
        length = circles.get(exons[0].chrom)
        if length is None or exons[-1].end <= length:
            yield self._transcript(exons, self.coding)
            return
        sides = [_before_and_behind(parts, length) for parts in (exons, self.coding)]
        for own, coding in zip(*sides):
            if own:
                yield self._transcript(own, coding)

    def _transcript(self, exons: list[Interval], coding: list[Interval]) -> Transcript:
        whole = None
        if coding:
            start, end = min(part.start for part in coding), max(part.end for part in coding)
            whole = Interval(coding[0].chrom, start, end, coding[0].strand)
        return Transcript(self.id, self.gene, tuple(exons), whole, self.symbol)


def finished(
    drafts: Iterable[Draft], left_out: LeftOut, circles: Mapping[str, int] | None = None
) -> Iterator[Transcript]:
    """Yield the transcripts of a file that was read; report those that cannot be used.

    Raises:
        InputError: none can be used.
    """
    kept = list[Draft]()
    for draft in drafts:
        if flaw := draft.flaw:
            left_out.add(flaw, draft.line, draft.id)
        else:
            kept.append(draft)
    left_out.report(len(kept))
    for draft in kept:
        yield from draft.transcripts(circles or {})


def named_feature(kind: str) -> str:
    """Return the kind of a feature with its article: ``an exon``, ``a CDS``."""
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _joined(parts: Iterable[Interval]) -> list[Interval]:
    """The bases that some intervals of one strand cover, by rising coordinate."""
    joined = list[Interval]()
    for part in sorted(parts):
        if joined and part.start <= joined[-1].end:
            part = Interval(part.chrom, joined[-1].start, max(joined.pop().end, part.end), part.strand)
        joined.append(part)
    return joined


def _before_and_behind(parts: Iterable[Interval], length: int) -> tuple[list[Interval], list[Interval]]:
    """Parts before the origin of a circular contig, and those behind it, where positions begin at 0 again."""
    before, behind = list[Interval](), list[Interval]()
    for part in parts:
        pieces = within_circle(part, length)
        (behind if part.start >= length else before).append(pieces[0])
        behind += pieces[1:]
    return before, behind


def _add(drafts: dict[tuple[str, str], Draft], columns: list[str], left_out: LeftOut, number: int) -> None:
    told = gtf_attributes(columns[8])
    name = told.get("transcript_id")
    if not name:
        left_out.add(f"{named_feature(columns[2])} without transcript_id", number, columns[8].strip())
        return
    key = (columns[0], name)
    if key not in drafts:
        drafts[key] = Draft(name, told.get("gene_id", name), number, told.get("gene_name", ""))
    drafts[key].add(columns, left_out.file, number, "GTF")


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
