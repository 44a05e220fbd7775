"""Records of GenBank and EMBL flat files, read by Biopython: the bases, and where the features lie.

Biopython names no lines, takes a file that ends inside a sequence for a whole one, and passes over features that stand
in other columns. So it is given one record at a time, and its lines are looked at beside what was read of them: each of
these is an error that names file and line. A feature whose location cannot be read is left out with a warning.
Positions in the files are 1-based and inclusive; an `Interval` is 0-based and half-open.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from genolm.errors import InputError
from genolm.files.lines import locate_errors, text_lines
from genolm.files.optional import require
from genolm.genome.formats import uncompressed_suffix
from genolm.genome.interval import Interval
from genolm.genome.left_out import LeftOut
from genolm.genome.sequence import upper_dna

FORMATS = {".gbk": "GenBank", ".gb": "GenBank", ".gbff": "GenBank", ".genbank": "GenBank", ".embl": "EMBL"}
"""What the endings of file names mean; ``.gz`` or ``.bgz`` may follow."""

_BEGINS = {"GenBank": "LOCUS ", "EMBL": "ID "}
UNREAD = "a location that genolm does not read"
"""Why a feature is left out whose location is of another form than spans, joined or ordered, on either strand."""

_UNNAMED = ("", "<unknown id>", ".", "unknown")
_BROKEN = (ValueError, AttributeError, IndexError, KeyError, TypeError, AssertionError)  # what Biopython raises
_ONE = r"<?\d+(?:\.\.>?\d+)?"
_EITHER = rf"(?:{_ONE}|complement\({_ONE}\))"
_PLAIN = re.compile(
    rf"{_EITHER}|(?:join|order)\({_EITHER}(?:,{_EITHER})*\)|complement\((?:join|order)\({_ONE}(?:,{_ONE})*\)\)"
)
_SPAN = re.compile(r"(\d+)(?:\.\.>?(\d+))?")


@dataclass(frozen=True, slots=True)
class FlatFeature:
    """A feature of a record.

    Attributes:
        kind: as ``CDS``.
        parts: where it lies, in the order in which it is read (5' to 3'), each on its strand; parts on another record
            are left out.
        location: the same as the file writes it, without white space.
        qualifiers: by name, the first of each; one without a value is an empty text.
        line: where it begins in the file, 1-based.
    """

    kind: str
    parts: tuple[Interval, ...]
    location: str
    qualifiers: dict[str, str]
    line: int

    @property
    def cut(self) -> bool:
        """An end lies outside the record (``<`` or ``>``)."""
        return "<" in self.location or ">" in self.location

    @property
    def pseudo(self) -> bool:
        """It belongs to a pseudogene."""
        return "pseudo" in self.qualifiers or "pseudogene" in self.qualifiers

    @property
    def exact(self) -> bool:
        """Every base of it is known and on this record: spans alone, joined, ordered or on the other strand."""
        spans = ((int(first), int(last or first)) for first, last in _SPAN.findall(self.location))
        return _PLAIN.fullmatch(self.location) is not None and all(1 <= first <= last for first, last in spans)


@dataclass(frozen=True, slots=True)
class FlatRecord:
    """A record of a flat file.

    Attributes:
        id: accession with version where there is one, else the name in its first line.
        features: those that were asked for, in the order of the file.
        letters: the sequence as it is written; empty where the file has none.
        file: where it stands.
        line: its last one, 1-based.
        first: its first one, 1-based.
    """

    id: str
    features: tuple[FlatFeature, ...]
    letters: str = field(repr=False)
    file: Path
    line: int
    first: int = 1

    @property
    def sequence(self) -> str:
        """Upper-case bases, ambiguous ones read as N.

        Raises:
            InputError: the file has none, or one of them is no base; names file and line.
        """
        with locate_errors(self.file, self.line):
            if not self.letters:
                raise InputError(f"record {self.id} has no sequence")
            return upper_dna(self.letters, iupac="N", rna=True)


def flat_format(path: Path) -> str | None:
    """``"GenBank"`` or ``"EMBL"`` by the ending of a file's name, which ``.gz`` may follow; None for any other."""
    return FORMATS.get(uncompressed_suffix(path))


def letter_line(record: FlatRecord, position: int) -> int:
    """Return the line of a record's file, 1-based, that holds the letter at a position of `letters`, 0-based."""
    counted, inside = 0, False
    for number, line in text_lines(record.file):
        if record.first < number < record.line:
            counted += sum(map(str.isalpha, line)) if inside else 0
            if counted > position:
                return number
            inside = inside or line.startswith(("ORIGIN", "SQ   "))
    return record.line


def read_flat_file(
    path: str | Path, kinds: tuple[str, ...] = ("CDS",), *, form: str | None = None
) -> Iterator[FlatRecord]:
    """The records of a GenBank or EMBL file (plain, gzip or bgzip); its ending says which it is.

    Args:
        path: the file.
        kinds: how the kinds of the features end that are read: ``RNA`` for ``mRNA`` and ``tRNA``. Others, whose
            locations may be of more forms, are left out. With none, the feature tables are not looked at.
        form: ``"GenBank"`` or ``"EMBL"``, whatever the ending; None goes by the ending.

    Raises:
        InputError: another ending; no record, one that is cut off or that Biopython cannot read, or, after the last
            record, no feature whose location can be read; names file and line.
        GenolmError: Biopython is not installed (extra ``genbank``).

    Warns:
        UserWarning: once, after the last record, of features whose location cannot be read: they are left out.
    """
    path = Path(path)
    form = form or flat_format(path)
    if form is None:
        raise InputError(f"GenBank and EMBL files end in {', '.join(FORMATS)}, also with .gz", file=path)
    parser, left_out, kept = _parser(), LeftOut(path), 0
    for text in _texts(path, form):
        record = text.record(parser, kinds, left_out)
        kept += len(record.features)
        yield record
    if kinds:
        left_out.report(kept)


def _parser() -> Any:
    return require("Bio.SeqIO", extra="genbank", purpose="reading GenBank and EMBL files", package="biopython")


def _texts(path: Path, form: str) -> Iterator[_Text]:
    """The records of the file, each up to its line ``//``."""
    lines, number, begun, ended = list[str](), 0, False, False
    for number, line in text_lines(path):
        lines.append(line)
        if line.startswith(_BEGINS[form]):
            if begun:
                raise InputError("the record before this line is cut off: it has no line //", file=path, line=number)
            begun = True
        elif line.rstrip() == "//":
            yield _Text(path, form, lines, number)
            lines, begun, ended = [], False, True
    if begun:
        raise InputError("the last record is cut off: it has no line //", file=path, line=number)
    if not ended:
        raise InputError(f"the file holds no {form} record", file=path)


class _Start(NamedTuple):
    """A feature as text: its lines in the file, 1-based."""

    lines: tuple[int, ...]
    kind: str
    location: str

    @property
    def line(self) -> int:
        """Its first line."""
        return self.lines[0]


@dataclass(frozen=True, slots=True)
class _Text:
    """The lines of a record; ``last`` is the number of the last, 1-based."""

    path: Path
    form: str
    lines: Sequence[str]
    last: int

    def record(self, parser: Any, kinds: tuple[str, ...], left_out: LeftOut) -> FlatRecord:
        """The record with the features of these kinds; those with a location that cannot be read are left out."""
        starts, parsed = self._parsed(parser, kinds, left_out) if kinds else ([], self._sequence(parser))
        name = parsed.name if parsed.id in _UNNAMED else parsed.id
        if kinds:
            self._check_columns(starts, [feature.type for feature in parsed.features])
        features = list[FlatFeature]()
        for start, feature in zip(starts, parsed.features):
            if start.kind.endswith(kinds):
                try:
                    features.append(_feature(start, feature, name))
                except InputError as error:
                    left_out.add(error.message, start.line, error.value)
        letters = str(parsed.seq) if parsed.seq.defined else ""
        return FlatRecord(name, tuple(features), letters, self.path, self.last, self._first())

    def _first(self) -> int:
        """The line on which the record begins, after what may stand before it."""
        before = next((n for n, line in enumerate(self.lines) if line.startswith(_BEGINS[self.form])), 0)
        return self.last - len(self.lines) + 1 + before

    def _sequence(self, parser: Any) -> Any:
        """The record as Biopython has it, without its features."""
        try:
            return self._read(parser, frozenset(number for number, _ in self._table()), features=False)
        except _BROKEN as error:
            self._refuse(error)

    def _parsed(self, parser: Any, kinds: tuple[str, ...], left_out: LeftOut) -> tuple[list[_Start], Any]:
        """The features as text and the record as Biopython has it, both without what Biopython stumbles over."""
        starts = self._starts()
        try:
            return starts, self._read(parser, frozenset())
        except _BROKEN as error:
            broken = [start for start in starts if not _is_readable(start.location)]
            if not broken:
                self._refuse(error)
            self._check_kinds(broken)
        try:
            parsed = self._read(parser, frozenset(line for start in broken for line in start.lines))
        except _BROKEN as error:
            self._refuse(error)
        for start in broken:
            if start.kind.endswith(kinds):
                left_out.add(UNREAD, start.line, start.location)
        return [start for start in starts if start not in broken], parsed

    def _check_kinds(self, broken: Sequence[_Start]) -> None:
        """A line that is no feature at all, such as sequence without ORIGIN, spoils the record."""
        first = self.last - len(self.lines) + 1
        for start in broken:
            text = self.lines[start.line - first]
            if text[2:5].strip() or not text[5:6].strip():
                raise InputError(UNREAD, file=self.path, line=start.line, value=start.location)

    def _read(self, parser: Any, without: frozenset[int], *, features: bool = True) -> Any:
        """The record as Biopython has it, without some lines."""
        first = self.last - len(self.lines) + 1
        lines = [line for number, line in enumerate(self.lines, start=first) if number not in without]
        if self.form == "GenBank" and not features and not any(line.startswith("ORIGIN") for line in lines):
            lines.insert(-1, "ORIGIN")  # a record without a sequence, which Biopython takes for one that is cut off
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what nothing here reads, or what is checked here
            found = next(parser.parse(io.StringIO("\n".join(lines) + "\n"), self.form.lower()), None)
        if found is None:
            raise InputError(f"no {self.form} record begins before this line", file=self.path, line=self.last)
        return found

    def _starts(self) -> list[_Start]:
        features = list[tuple[list[int], list[str]]]()
        for number, line in self._table():
            if line[:21].strip():
                features.append(([number], [line.strip()]))
            elif features:
                features[-1][0].append(number)
                features[-1][1].append(line.strip())
        return [_start(tuple(numbers), "".join(lines)) for numbers, lines in features]

    def _table(self) -> Iterator[tuple[int, str]]:
        """The numbered lines of the feature table, those of EMBL without their FT."""
        inside = False
        for number, line in enumerate(self.lines, start=self.last - len(self.lines) + 1):
            if self.form == "EMBL":
                if line.startswith("FT"):
                    yield number, f"  {line[2:]}"
            elif line[:1].strip():
                inside = line.startswith("FEATURES")
            elif inside:
                yield number, line

    def _check_columns(self, starts: Sequence[_Start], kinds: Sequence[str]) -> None:
        """Biopython goes by columns and leaves out, or misreads, what stands in others."""
        for start, kind in zip_longest(starts, kinds):
            if start is None or start.kind != kind:
                raise InputError(
                    f"a feature that is not in the columns of {self.form}: kinds begin in column 6, places in 22",
                    file=self.path,
                    line=self.last if start is None else start.line,
                )

    def _refuse(self, error: Exception) -> NoReturn:
        told = " ".join(str(error).split()) or "its lines are not in order"
        raise InputError(f"not readable as {self.form}: {told}", file=self.path, line=self.last) from None


def _feature(start: _Start, feature: Any, record: str) -> FlatFeature:
    """A feature as Biopython has it; `InputError` when its location is not read."""
    parts = _parts(feature.location, start.location, record)
    qualifiers = {name: values[0] for name, values in feature.qualifiers.items()}
    return FlatFeature(start.kind, parts, start.location, qualifiers, start.line)


def _start(lines: tuple[int, ...], text: str) -> _Start:
    """``text`` is the feature in one line; locations have no slash, qualifiers begin with one."""
    kind, _, rest = text.partition(" ")
    return _Start(lines, kind, rest.partition("/")[0].replace(" ", ""))


def _is_readable(location: str) -> bool:
    from Bio.SeqFeature import Location

    try:
        Location.fromstring(location)
    except _BROKEN:
        return False
    return True


def _parts(place: Any, location: str, record: str) -> tuple[Interval, ...]:
    """The stretches on this record; ``place`` is None where Biopython could not read ``location``."""
    if place is None:
        raise _unread(location)
    parts = (part for part in place.parts if part.ref is None)
    try:
        return tuple(
            Interval(record, int(part.start), int(part.end), "-" if part.strand == -1 else "+") for part in parts
        )
    except (TypeError, InputError):  # an end that is not known; no base between two others
        raise _unread(location) from None


def _unread(location: str) -> InputError:
    return InputError(UNREAD, value=location)
