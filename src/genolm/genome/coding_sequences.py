"""Coding sequences as they are translated, and their proteins; from annotation, or from a FASTA of genes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from genolm.errors import InputError
from genolm.genome.fasta import Genome
from genolm.genome.flat_files import FlatFeature, FlatRecord, flat_format, read_flat_file
from genolm.genome.genes import feature_interval
from genolm.genome.gff3 import attributes, read_genes
from genolm.genome.interval import Interval
from genolm.genome.lines import placed, text_lines
from genolm.genome.records import read_fasta
from genolm.genome.sequence import reverse_complement, upper_dna

_ORDER = "TCAG"
_STANDARD = "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG"
_CODONS = [first + second + third for first in _ORDER for second in _ORDER for third in _ORDER]
_TABLE = dict(zip(_CODONS, _STANDARD, strict=True))
CODES = {1: _TABLE, 11: _TABLE, 4: {**_TABLE, "TGA": "W"}, 25: {**_TABLE, "TGA": "G"}}
"""Genetic codes by NCBI's numbers: 11 bacteria and archaea (as 1 for amino acids), 4 mycoplasmas, 25 SR1 and
Gracilibacteria."""


@dataclass(frozen=True, slots=True)
class CodingSequence:
    """A coding sequence in reading direction, from its first whole codon.

    Attributes:
        id: its name.
        sequence: upper-case bases.
        code: number of the genetic code.
        place: ``contig:start-end(strand)``, 1-based, from its first to its last base; empty where nobody says.
        whole: both ends are there and nothing calls it a pseudogene.
    """

    id: str
    sequence: str
    code: int = 11
    place: str = ""
    whole: bool = True


def translate(sequence: str, code: int = 11) -> str:
    """Amino acids of the whole codons, ``*`` for a stop, ``X`` for a codon with another letter than A, C, G, T.

    Raises:
        InputError: a genetic code that is not in :data:`CODES`.
    """
    if code not in CODES:
        raise InputError(f"no such genetic code; known are {', '.join(map(str, sorted(CODES)))}", value=code)
    table = CODES[code]
    return "".join(table.get(sequence[start : start + 3], "X") for start in range(0, len(sequence) - 2, 3))


def read_coding(path: str | Path, genome: str | Path | None = None, code: int = 11) -> Iterator[CodingSequence]:
    """The coding sequences of a file.

    Args:
        path: GenBank or EMBL with sequence; GFF3 or GTF beside ``genome``; else a FASTA of coding sequences, which
            begin with a codon.
        genome: FASTA that the annotation speaks of.
        code: genetic code where the annotation names none.

    Raises:
        InputError: annotation without its genome, and whatever the formats refuse; of GenBank and EMBL also a location
            that is not exact or ends after the sequence.
        GenolmError: GenBank or EMBL and no Biopython (extra ``genbank``).
    """
    path = Path(path)
    name = path.name.lower().removesuffix(".gz").removesuffix(".bgz")
    if flat_format(path):
        for record in read_flat_file(path):
            yield from _of_record(record, code)
    elif name.endswith((".gff3", ".gff", ".gtf")):
        if genome is None:
            raise InputError("coordinates of genes need the genome (--genome)", file=path)
        with Genome(genome) as bases:
            yield from _of_gtf(path, bases, code) if name.endswith(".gtf") else _of_gff3(path, bases, code)
    else:
        for flat in read_fasta(path, partial(upper_dna, iupac="N")):
            yield CodingSequence(flat.id, flat.sequence, code)


def _of_record(record: FlatRecord, code: int) -> Iterator[CodingSequence]:
    bases = record.sequence
    for feature in record.features:
        with placed(record.file, feature.line):
            coding = _of_feature(record.id, bases, feature, code)
        yield coding


def _of_feature(record: str, bases: str, feature: FlatFeature, code: int) -> CodingSequence:
    if not feature.exact:
        raise InputError("a location that genolm does not read", value=feature.location)
    if any(part.end > len(bases) for part in feature.parts):
        raise InputError(f"a {feature.kind} of {record} ends after its {len(bases):,} bases")
    told = feature.qualifiers
    pieces = (bases[part.start : part.end] for part in feature.parts)
    read = (reverse_complement(piece) if part.strand == "-" else piece for piece, part in zip(pieces, feature.parts))
    place = _place(feature.parts)
    name = next(filter(None, (told.get(key) for key in ("locus_tag", "protein_id", "gene"))), place)
    start = _number(told.get("codon_start", "1"))
    if start not in (1, 2, 3):
        raise InputError("codon_start is 1, 2 or 3", value=start)
    number = _number(told.get("transl_table", str(code)))
    return CodingSequence(name, "".join(read)[start - 1 :], number, place, not (feature.cut or feature.pseudo))


def _of_gff3(path: Path, genome: Genome, code: int) -> Iterator[CodingSequence]:
    """CDS lines of one ID belong together; so do those of one parent where they have no ID."""
    found: dict[str, list[tuple[Interval, str, dict[str, str]]]] = {}
    for number, line in text_lines(path):
        if line.startswith("##FASTA"):
            break
        columns = line.split("\t")
        if line.startswith("#") or not line.strip():
            continue
        if len(columns) != 9:
            raise InputError(f"a GFF3 line has 9 columns, this one {len(columns)}", file=path, line=number)
        if columns[2] != "CDS":
            continue
        told = attributes(columns[8])
        part = feature_interval(columns, path, number, "GFF3")
        name = told.get("ID") or told.get("Parent") or f"{part}"
        found.setdefault(name, []).append((part, columns[7], told))
    for name, lines in found.items():
        lines.sort(key=lambda line: line[0].start, reverse=lines[0][0].strand == "-")
        parts, told = tuple(line[0] for line in lines), lines[0][2]
        phase = lines[0][1]
        skipped = int(phase) if phase in ("1", "2") else 0
        whole = told.get("partial") != "true" and told.get("pseudo") != "true"
        names = (told.get("locus_tag"), told.get("protein_id"), told.get("Name"))
        sequence = "".join(genome[part] for part in parts)[skipped:]
        number = _number(told.get("transl_table", str(code)))
        yield CodingSequence(next(filter(None, names), name), sequence, number, _place(parts), whole)


def _of_gtf(path: Path, genome: Genome, code: int) -> Iterator[CodingSequence]:
    for transcript in read_genes(path):
        parts = transcript.coding_exons
        if parts:
            ordered = parts[::-1] if parts[0].strand == "-" else parts
            yield CodingSequence(transcript.id, "".join(genome[part] for part in ordered), code, _place(ordered))


def _place(parts: tuple[Interval, ...]) -> str:
    first = parts[0]
    start, end = min(part.start for part in parts), max(part.end for part in parts)
    return f"{first.chrom}:{start + 1}-{end}({first.strand})"


def _number(text: str) -> int:
    if not text.isdecimal():
        raise InputError("codon_start and transl_table are numbers", value=text)
    return int(text)
