"""Annotated sequences out of GenBank and EMBL flat files: the bases, and where the coding sequences lie.

Positions in the files are 1-based and inclusive; an `Interval` is 0-based and half-open.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from genolm.errors import InputError
from genolm.genome.interval import Interval
from genolm.genome.lines import placed, text_lines
from genolm.genome.sequence import upper_dna

_ENDINGS = (".gb", ".gbk", ".gbff", ".genbank", ".embl")
_SPAN = re.compile(r"<?(\d+)(?:\.\.>?(\d+))?")
_INNER = re.compile(r"(complement|join|order)\(([^()]*)\)")
_NOT_BASES = str.maketrans("", "", "0123456789 /")


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature of a record.

    Attributes:
        kind: as ``CDS``.
        parts: where it lies, in the order in which it is read (5' to 3'), each on its strand.
        cut: an end lies outside the record (``<`` or ``>``).
        qualifiers: its qualifiers by name, the first of each; one without a value is an empty text.
        line: where it begins in the file, 1-based.
    """

    kind: str
    parts: tuple[Interval, ...]
    cut: bool
    qualifiers: dict[str, str]
    line: int


@dataclass(frozen=True, slots=True)
class AnnotatedRecord:
    """A sequence with its features.

    Attributes:
        id: accession with version where there is one, else the locus.
        sequence: upper-case bases, ambiguous ones read as N.
        features: in the order of the file.
    """

    id: str
    sequence: str
    features: tuple[Feature, ...]


def is_flat_file(path: Path) -> bool:
    """Whether a file's ending is one of GenBank or EMBL, also with .gz."""
    return path.name.lower().removesuffix(".gz").removesuffix(".bgz").endswith(_ENDINGS)


def read_flat_file(path: str | Path, kinds: Collection[str] = ("CDS",)) -> Iterator[AnnotatedRecord]:
    """The records of a GenBank or EMBL file (plain, gzip or bgzip).

    Args:
        path: the file.
        kinds: features to read; those of other kinds, whose locations may be of more forms, are left out.

    Raises:
        InputError: no such record, one without sequence or cut off, a location that cannot be read; names file, line.
    """
    path = Path(path)
    draft, number = _Draft(), 0
    for number, line in text_lines(path):
        if line.startswith("//"):
            yield draft.record(path, number, kinds)
            draft = _Draft()
        else:
            draft.read(line, number)
    if draft.begun:
        raise InputError("the last record is cut off: it has no line //", file=path, line=number)
    if not number:
        raise InputError("the file is empty", file=path)


@dataclass(slots=True)
class _Raw:
    """A feature as text."""

    kind: str
    location: str
    line: int
    qualifiers: list[str] = field(default_factory=list)

    def extend(self, text: str) -> None:
        if text.startswith("/") and not self._open():
            self.qualifiers.append(text[1:])
        elif self.qualifiers:
            joint = "" if self.qualifiers[-1].startswith("translation=") else " "
            self.qualifiers[-1] += joint + text
        else:
            self.location += text

    def _open(self) -> bool:
        """Whether the last value still lacks its closing quote."""
        return bool(self.qualifiers) and self.qualifiers[-1].count('"') % 2 == 1

    def feature(self, record: str, path: Path) -> Feature:
        with placed(path, self.line):
            parts = _parts(self.location.replace(" ", ""), record)
        named: dict[str, str] = {}
        for text in self.qualifiers:
            name, _, value = text.partition("=")
            named.setdefault(name, value.strip('"').replace('""', '"'))
        return Feature(self.kind, parts, "<" in self.location or ">" in self.location, named, self.line)


@dataclass(slots=True)
class _Draft:
    """A record while its lines are read."""

    name: str = ""
    begun: bool = False
    in_sequence: bool = False
    in_features: bool = False
    raw: list[_Raw] = field(default_factory=list)
    bases: list[str] = field(default_factory=list)

    def read(self, line: str, number: int) -> None:
        tag = line[:10].split(" ", 1)[0]
        if self.in_sequence and not tag:
            self.bases.append(line.translate(_NOT_BASES))
        elif tag in ("ORIGIN", "SQ"):
            self.in_sequence, self.in_features = True, False
        elif tag in ("LOCUS", "ID"):
            self.begun, self.name = True, line.split()[1].rstrip(";")
        elif tag in ("VERSION", "SV") and len(line.split()) > 1:
            self.name = line.split()[1]
        elif tag == "FEATURES":
            self.in_features = True
        elif tag == "FT" or (self.in_features and not tag):
            self._feature_line(line.removeprefix("FT").lstrip() if tag == "FT" else line.lstrip(), line, number)
        elif tag:
            self.in_features = False

    def _feature_line(self, text: str, line: str, number: int) -> None:
        if len(line) > 5 and line[5] != " ":
            kind, _, location = text.partition(" ")
            self.raw.append(_Raw(kind, location.strip(), number))
        elif self.raw:
            self.raw[-1].extend(text.rstrip())

    def record(self, path: Path, number: int, kinds: Collection[str]) -> AnnotatedRecord:
        if not self.begun:
            raise InputError("no GenBank or EMBL record begins before this line", file=path, line=number)
        with placed(path, number):
            sequence = upper_dna("".join(self.bases), iupac="N", rna=True)
        if not sequence:
            raise InputError(f"record {self.name} has no sequence", file=path, line=number)
        features = tuple(raw.feature(self.name, path) for raw in self.raw if raw.kind in kinds)
        for feature in features:
            if any(part.end > len(sequence) for part in feature.parts):
                raise InputError(
                    f"a {feature.kind} of {self.name} ends after its {len(sequence):,} bases",
                    file=path,
                    line=feature.line,
                )
        return AnnotatedRecord(self.name, sequence, features)


def _parts(location: str, record: str) -> tuple[Interval, ...]:
    """The stretches of a location in reading order.

    Innermost brackets are resolved first; each is kept under a number that stands in its place.
    """
    known: list[tuple[Interval, ...]] = []

    def listed(text: str) -> tuple[Interval, ...]:
        return tuple(part for item in text.split(",") for part in one(item))

    def one(item: str) -> tuple[Interval, ...]:
        if item.startswith("#"):
            return known[int(item[1:])]
        match = _SPAN.fullmatch(item)
        if match is None or int(match[1]) < 1 or int(match[2] or match[1]) < int(match[1]):
            raise InputError("a location that genolm does not read", value=location)
        return (Interval(record, int(match[1]) - 1, int(match[2] or match[1]), "+"),)

    text = location
    while (match := _INNER.search(text)) is not None:
        inner = listed(match[2])
        known.append(_turned(inner) if match[1] == "complement" else inner)
        text = f"{text[: match.start()]}#{len(known) - 1}{text[match.end() :]}"
    return listed(text)


def _turned(parts: tuple[Interval, ...]) -> tuple[Interval, ...]:
    other = {"+": "-", "-": "+"}
    return tuple(Interval(part.chrom, part.start, part.end, other[part.strand]) for part in reversed(parts))
