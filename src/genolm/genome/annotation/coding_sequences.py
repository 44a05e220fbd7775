"""Coding sequences from annotation or FASTA, and their translation."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from genolm.errors import InputError
from genolm.genome.annotation.annotation_lines import (
    Form,
    annotation_lines,
    attributes,
    feature_interval,
    gtf_attributes,
    is_unstranded,
    note_circle,
    within_circle,
)
from genolm.genome.annotation.gff3 import GFF3_ENDINGS, GTF_ENDING
from genolm.genome.fasta import Genome
from genolm.genome.flat_files import UNREAD, FlatFeature, read_flat_file
from genolm.genome.formats import uncompressed_suffix
from genolm.genome.interval import Interval
from genolm.genome.left_out import LeftOut
from genolm.genome.records import read_fasta
from genolm.genome.sequence import reverse_complement, upper_dna
from genolm.genome.sequence_files import flat_form
from genolm.remedies import Remedy

_ORDER = "TCAG"
_STANDARD = "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG"
_CODONS = [first + second + third for first in _ORDER for second in _ORDER for third in _ORDER]
_TABLE = dict(zip(_CODONS, _STANDARD, strict=True))
CODES = {1: _TABLE, 11: _TABLE, 4: {**_TABLE, "TGA": "W"}, 25: {**_TABLE, "TGA": "G"}}
"""Genetic codes by NCBI number: 1 standard, 11 bacteria and archaea (same amino acids), 4 mycoplasmas, 25 SR1 and
Gracilibacteria."""

_PARTIAL = ("true", "01", "10", "11")
"""Values of ``partial`` for a missing end; Prodigal writes one digit per end."""
_CUT_TAGS = ("cds_start_NF", "cds_end_NF")
"""Tags of Ensembl and GENCODE for a coding sequence without a known start or end."""


@dataclass(frozen=True, slots=True)
class CodingSequence:
    """A coding sequence in 5' to 3' direction, from its first complete codon.

    Attributes:
        id: name.
        sequence: upper-case bases.
        code: number of the genetic code.
        place: ``contig:start-end(strand)``, 1-based; empty if unknown.
        whole: whether both ends are present and it is not a pseudogene.
        line: first line in the annotation, 1-based.
    """

    id: str
    sequence: str
    code: int = 11
    place: str = ""
    whole: bool = True
    line: int | None = None


def translate(sequence: str, code: int = 11) -> str:
    """Translate complete codons; ``*`` is a stop, ``X`` a codon with other letters than A, C, G and T.

    Raises:
        InputError: the genetic code is not in :data:`CODES`.
    """
    if code not in CODES:
        raise InputError(f"unknown genetic code; expected one of {', '.join(map(str, sorted(CODES)))}", value=code)
    table = CODES[code]
    return "".join(table.get(sequence[start : start + 3], "X") for start in range(0, len(sequence) - 2, 3))


def read_coding(path: str | Path, genome: str | Path | None = None, code: int = 11) -> Iterator[CodingSequence]:
    """Yield the coding sequences of a file.

    Args:
        path: GenBank or EMBL with sequence; GFF3 or GTF, with ``genome``; or a FASTA of coding sequences, which must
            start with a codon.
        genome: FASTA of the annotated genome.
        code: genetic code if the annotation does not specify one.

    Raises:
        InputError: the annotation has no genome, the file is invalid, or no coding sequence is usable.
        GenolmError: the file is GenBank or EMBL and Biopython (extra ``genbank``) is not installed.

    Notes:
        Once, if coding sequences were skipped: without a strand or on both strands, on an unknown contig
        or beyond its end, with an inexact location, or in GTF without ``transcript_id``.
    """
    path = Path(path)
    ending = uncompressed_suffix(path)
    if form := flat_form(path):
        yield from _of_flat_file(path, form, code)
    elif ending in (*GFF3_ENDINGS, GTF_ENDING):
        if genome is None:
            raise InputError(
                "gene coordinates require the genome", file=path, code="missing-argument", remedy=Remedy("genome")
            )
        with Genome(genome) as bases:
            yield from _of_lines(path, bases, code, "GTF" if ending == GTF_ENDING else "GFF3")
    else:
        for flat in read_fasta(path, partial(upper_dna, iupac="N")):
            yield CodingSequence(flat.id, flat.sequence, code)


def _of_flat_file(path: Path, form: str, code: int) -> Iterator[CodingSequence]:
    left_out, kept = LeftOut(path), 0
    for record in read_flat_file(path, form=form):
        bases = record.sequence
        for feature in record.features:
            try:
                coding = _of_feature(record.id, bases, feature, code)
            except InputError as error:
                left_out.add(error.message, feature.line, error.value or feature.location)
                continue
            kept += 1
            yield coding
    left_out.report(kept)


def _of_feature(record: str, bases: str, feature: FlatFeature, code: int) -> CodingSequence:
    if not feature.exact:
        raise InputError(UNREAD, value=feature.location)
    if any(part.end > len(bases) for part in feature.parts):
        raise InputError("an end beyond the bases of the record", value=feature.location)
    qualifiers = feature.qualifiers
    pieces = (bases[part.start : part.end] for part in feature.parts)
    read = (reverse_complement(piece) if part.strand == "-" else piece for piece, part in zip(pieces, feature.parts))
    place = _place(feature.parts)
    name = next(filter(None, (qualifiers.get(key) for key in ("locus_tag", "protein_id", "gene"))), place)
    start = _number(qualifiers.get("codon_start", "1"), "codon_start")
    if start not in (1, 2, 3):
        raise InputError("a codon_start other than 1, 2 and 3", value=start)
    number = _number(qualifiers.get("transl_table", str(code)), "transl_table")
    whole = not (feature.cut or feature.pseudo)
    return CodingSequence(name, "".join(read)[start - 1 :], number, place, whole, feature.line)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a coding sequence; ``stop`` marks a stop codon, which GTF lists separately from the CDS."""

    number: int
    part: Interval
    phase: str
    text: str
    stop: bool
    stranded: bool


def _of_lines(path: Path, genome: Genome, code: int, form: Form) -> Iterator[CodingSequence]:
    """Group CDS lines by ID (GFF3; by parent if there is no ID) or transcript (GTF, with its stop codon lines)."""
    groups: dict[tuple[str, str], list[_Line]] = {}
    circles: dict[str, int] = {}
    left_out, kept = LeftOut(path), 0
    kinds = ("CDS", "stop_codon") if form == "GTF" else ("CDS",)
    for number, columns in annotation_lines(path, form):
        if columns[2] in kinds:
            _add(groups, columns, left_out, number, form)
        elif form == "GFF3":
            note_circle(circles, columns, path, number)
    for (contig, name), lines in groups.items():
        try:
            coding = _Joined(lines, circles.get(contig)).read(name, genome, code, form)
        except _UnusableError as error:
            left_out.add(error.message, lines[0].number, name)
            continue
        kept += 1
        yield coding
    left_out.report(kept)


class _UnusableError(InputError):
    """A coding sequence that must be skipped."""


def _add(
    groups: dict[tuple[str, str], list[_Line]], columns: list[str], left_out: LeftOut, number: int, form: Form
) -> None:
    part = feature_interval(columns, left_out.file, number, form)
    if form == "GTF":
        name = gtf_attributes(columns[8]).get("transcript_id", "")
    else:
        values = attributes(columns[8])
        name = values.get("ID") or values.get("Parent") or f"{part}"
    if not name:
        left_out.add(f"a {columns[2]} without transcript_id", number, columns[8].strip())
        return
    line = _Line(number, part, columns[7], columns[8], columns[2] == "stop_codon", not is_unstranded(columns))
    groups.setdefault((columns[0], name), []).append(line)


@dataclass(frozen=True, slots=True)
class _Joined:
    """The lines of one coding sequence; ``circle`` is the length of the contig if it is circular."""

    lines: list[_Line]
    circle: int | None

    def read(self, name: str, genome: Genome, code: int, form: Form) -> CodingSequence:
        """Return the coding sequence; raise `_UnusableError` with the reason if it cannot be used."""
        lines = self._ordered()
        parts = tuple(line.part for line in lines)
        self._check(parts, genome)
        values = gtf_attributes(lines[0].text) if form == "GTF" else attributes(lines[0].text)
        sequence = "".join(self._bases(part, genome) for part in parts)[_skipped(lines) :]
        number = values.get("transl_table", str(code))
        if not number.isdecimal():
            raise _UnusableError("a transl_table that is not a number", value=number)
        names = (values.get("locus_tag"), values.get("protein_id"), values.get("Name")) if form == "GFF3" else ()
        name = next(filter(None, names), name)
        complete = _is_complete(lines, values)
        return CodingSequence(name, sequence, int(number), _place(parts), complete, self.lines[0].number)

    def _ordered(self) -> list[_Line]:
        """Return the lines in 5' to 3' order, without duplicates and stop codons that the CDS contains."""
        coding = list({line.part: line for line in self.lines if not line.stop}.values())
        if not coding:
            raise _UnusableError("a stop codon without CDS")
        stops = {line.part: line for line in self.lines if line.stop}
        lines = coding + [one for part, one in stops.items() if not any(own.part.contains(part) for own in coding)]
        if not all(line.stranded for line in lines):
            raise _UnusableError("a coding sequence without a strand")
        if len({line.part.strand for line in lines}) > 1:
            raise _UnusableError("a coding sequence on both strands")
        lines = self._from_origin(sorted(lines, key=lambda line: line.part.start))
        return lines[::-1] if lines[0].part.strand == "-" else lines

    def _from_origin(self, lines: list[_Line]) -> list[_Line]:
        """Order lines across the origin of a circular contig: the sequence starts after the widest gap."""
        ends = lines[0].part.start == 0 and lines[-1].part.end == self.circle
        if len(lines) < 2 or not ends:
            return lines
        gaps = [right.part.start - left.part.end for left, right in itertools.pairwise(lines)]
        cut = gaps.index(max(gaps)) + 1
        return lines[cut:] + lines[:cut]

    def _check(self, parts: tuple[Interval, ...], genome: Genome) -> None:
        if (contig := genome.contig(parts[0].chrom)) is None:
            raise _UnusableError("a contig that the genome does not have")
        length = genome.lengths[contig]
        if self.circle is not None and self.circle != length:
            raise _UnusableError("a circular contig of another length than in the genome")
        if self.circle is None and any(part.end > length for part in parts):
            raise _UnusableError("an end beyond its contig")

    def _bases(self, part: Interval, genome: Genome) -> str:
        if self.circle is None:
            return genome[part]
        pieces = within_circle(part, self.circle)
        return "".join(genome[piece] for piece in (pieces[::-1] if part.strand == "-" else pieces))


def _skipped(lines: list[_Line]) -> int:
    """Return the number of bases before the first complete codon."""
    phase = lines[0].phase.strip()
    return int(phase) if phase in ("1", "2") else 0


def _is_complete(lines: list[_Line], values: dict[str, str]) -> bool:
    """Whether both ends are present and it is not a pseudogene."""
    if any(tag in line.text for line in lines for tag in _CUT_TAGS):
        return False
    return values.get("partial") not in _PARTIAL and values.get("pseudo") != "true"


def _place(parts: tuple[Interval, ...]) -> str:
    first = parts[0]
    start, end = min(part.start for part in parts), max(part.end for part in parts)
    return f"{first.chrom}:{start + 1}-{end}({first.strand})"


def _number(text: str, name: str) -> int:
    if not text.isdecimal():
        raise InputError(f"a {name} that is not a number", value=text)
    return int(text)
