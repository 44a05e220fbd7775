"""Transcripts, and reading and writing of GTF.

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
"""Features of a transcript."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """One transcript of a gene.

    Attributes:
        id: transcript id.
        gene: gene id.
        exons: exons by ascending coordinate, 0-based half-open, all on one contig and strand.
        coding: interval from the start codon to the stop codon, both included, with introns; None if non-coding.
        symbol: gene symbol; empty if the file has none.
    """

    id: str
    gene: str
    exons: tuple[Interval, ...]
    coding: Interval | None = None
    symbol: str = ""

    def __post_init__(self) -> None:
        if not self.exons:
            raise InputError("a transcript must have at least one exon", value=self.id)
        for left, right in zip(self.exons, self.exons[1:]):
            if (left.chrom, left.strand) != (right.chrom, right.strand):
                raise InputError("the exons of a transcript must be on one contig and strand", value=self.id)
            if right.start < left.end:
                raise InputError("the exons of a transcript must be sorted and must not overlap", value=self.id)
        if self.coding is not None and not self.interval.contains(self.coding):
            raise InputError("the coding interval must be inside the transcript", value=self.id)

    @property
    def interval(self) -> Interval:
        """Interval from the first to the last exon."""
        first = self.exons[0]
        return Interval(first.chrom, first.start, self.exons[-1].end, first.strand)

    @property
    def introns(self) -> tuple[Interval, ...]:
        """Introns by ascending coordinate."""
        pairs = zip(self.exons, self.exons[1:])
        return tuple(Interval(left.chrom, left.end, right.start, left.strand) for left, right in pairs)

    @property
    def tss(self) -> int:
        """0-based position of the first transcribed base."""
        return self.interval.start if self.interval.strand == "+" else self.interval.end - 1

    @property
    def coding_exons(self) -> tuple[Interval, ...]:
        """Coding parts of the exons, including the stop codon, by ascending coordinate."""
        return () if self.coding is None else _clip(self.exons, self.coding.start, self.coding.end)


def read_gtf(path: str | Path) -> Iterator[Transcript]:
    """Read the transcripts of a GTF (plain, gzip or bgzip), in the order of their first feature.

    Only the features ``exon``, ``CDS`` and ``stop_codon`` are read. A ``transcript_id`` on several contigs gives one
    transcript per contig. If a transcript has coding features but no exons, as in bacterial annotation, the coding
    features are its exons.

    Raises:
        InputError: a line is invalid, or no transcript is usable.

    Notes:
        Once, if features without ``transcript_id`` or transcripts without a strand, on both strands or
        with overlapping exons were skipped.
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

    Features are written in 5' to 3' order, exons are numbered, and the frame of a CDS is the number of leading bases
    that complete the previous codon. The file is written atomically.
    """
    path = Path(path)
    with atomic_file(path) as partial, partial.open("w", encoding="utf-8", newline="\n") as file:
        for transcript in transcripts:
            file.writelines(_gtf_lines(transcript, source))
    return path


@dataclass(slots=True)
class Draft:
    """A transcript on one contig while its features are read, in any order.

    Attributes:
        id: transcript id.
        gene: gene id.
        line: line of the first feature, 1-based.
        symbol: gene symbol.
        exons: exons in file order.
        coding: coding features in file order.
        unstranded: whether a feature has no strand.
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
            InputError: as `feature_interval`.
        """
        part = feature_interval(columns, path, number, form)
        (self.exons if columns[2] == "exon" else self.coding).append(part)
        self.unstranded |= is_unstranded(columns)

    @property
    def flaw(self) -> str:
        """Reason why the transcript is not usable; empty if it is."""
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
        """Yield the transcript; one that crosses the origin of a circular contig is split there.

        The coding interval extends from the first to the last coding feature.

        Args:
            circles: lengths of the circular contigs in bases.
        """
        exons = sorted(set(self.exons)) or _joined(self.coding)
        length = circles.get(exons[0].chrom)
        if length is None or exons[-1].end <= length:
            yield self._transcript(exons, self.coding)
            return
        sides = [_before_and_behind(parts, length) for parts in (exons, self.coding)]
        for side, coding in zip(*sides):
            if side:
                yield self._transcript(side, coding)

    def _transcript(self, exons: list[Interval], coding: list[Interval]) -> Transcript:
        whole = None
        if coding:
            start, end = min(part.start for part in coding), max(part.end for part in coding)
            whole = Interval(coding[0].chrom, start, end, coding[0].strand)
        return Transcript(self.id, self.gene, tuple(exons), whole, self.symbol)


def finished(
    drafts: Iterable[Draft], left_out: LeftOut, circles: Mapping[str, int] | None = None
) -> Iterator[Transcript]:
    """Yield the usable transcripts of a file and report the others.

    Raises:
        InputError: no transcript is usable.
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
    """Return a feature type with its article: ``an exon``, ``a CDS``."""
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _joined(parts: Iterable[Interval]) -> list[Interval]:
    """Merge overlapping and adjacent intervals of one strand."""
    joined = list[Interval]()
    for part in sorted(parts):
        if joined and part.start <= joined[-1].end:
            part = Interval(part.chrom, joined[-1].start, max(joined.pop().end, part.end), part.strand)
        joined.append(part)
    return joined


def _before_and_behind(parts: Iterable[Interval], length: int) -> tuple[list[Interval], list[Interval]]:
    """Split parts at the origin of a circular contig into those before and those after it."""
    before, behind = list[Interval](), list[Interval]()
    for part in parts:
        pieces = within_circle(part, length)
        (behind if part.start >= length else before).append(pieces[0])
        behind += pieces[1:]
    return before, behind


def _add(drafts: dict[tuple[str, str], Draft], columns: list[str], left_out: LeftOut, number: int) -> None:
    values = gtf_attributes(columns[8])
    name = values.get("transcript_id")
    if not name:
        left_out.add(f"{named_feature(columns[2])} without transcript_id", number, columns[8].strip())
        return
    key = (columns[0], name)
    if key not in drafts:
        drafts[key] = Draft(name, values.get("gene_id", name), number, values.get("gene_name", ""))
    drafts[key].add(columns, left_out.file, number, "GTF")


def _clip(parts: Iterable[Interval], start: int, end: int) -> tuple[Interval, ...]:
    """Return the parts clipped to ``[start, end)``."""
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
    """Return the parts in 5' to 3' order."""
    return parts[::-1] if parts and parts[0].strand == "-" else parts


def _split_stop(transcript: Transcript) -> tuple[tuple[Interval, ...], tuple[Interval, ...]]:
    """Return the coding parts without the stop codon, and the parts of the stop codon (introns may split it)."""
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
