"""Reader of GenBank and EMBL flat files with Biopython: sequences and features.

Biopython reports no line numbers, accepts a file that ends inside a sequence, and skips features in wrong columns.
Therefore it reads one record at a time, and its result is checked against the lines of the record, so that each of
these problems is an error with file and line. A feature with an unreadable location is skipped with a warning.
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
"""Formats by file extension, which ``.gz`` or ``.bgz`` may follow."""

_BEGINS = {"GenBank": "LOCUS ", "EMBL": "ID "}
UNREAD = "an unsupported location"
"""Reason for skipping a feature whose location is not made of spans, joined or ordered, on either strand."""

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
        kind: feature key, such as ``CDS``.
        parts: intervals in reading order (5' to 3'), each on its strand, without parts on other records.
        location: location as in the file, without white space.
        qualifiers: first value of each qualifier by name; empty if it has no value.
        line: first line in the file, 1-based.
    """

    kind: str
    parts: tuple[Interval, ...]
    location: str
    qualifiers: dict[str, str]
    line: int

    @property
    def cut(self) -> bool:
        """Whether the feature extends beyond the record (``<`` or ``>``)."""
        return "<" in self.location or ">" in self.location

    @property
    def pseudo(self) -> bool:
        """Whether the feature belongs to a pseudogene."""
        return "pseudo" in self.qualifiers or "pseudogene" in self.qualifiers

    @property
    def exact(self) -> bool:
        """Whether the location consists of spans of known positions on this record."""
        spans = ((int(first), int(last or first)) for first, last in _SPAN.findall(self.location))
        return _PLAIN.fullmatch(self.location) is not None and all(1 <= first <= last for first, last in spans)


@dataclass(frozen=True, slots=True)
class FlatRecord:
    """A record of a flat file.

    Attributes:
        id: accession with version if available, else the name in the first line.
        features: the requested features, in file order.
        letters: the sequence as in the file; empty if there is none.
        file: the file.
        line: last line of the record, 1-based.
        first: first line of the record, 1-based.
    """

    id: str
    features: tuple[FlatFeature, ...]
    letters: str = field(repr=False)
    file: Path
    line: int
    first: int = 1

    @property
    def sequence(self) -> str:
        """Upper-case bases, with ambiguity codes as N.

        Raises:
            InputError: the record has no sequence, or an invalid letter.
        """
        with locate_errors(self.file, self.line):
            if not self.letters:
                raise InputError(f"record {self.id} has no sequence")
            return upper_dna(self.letters, iupac="N", rna=True)


def flat_format(path: Path) -> str | None:
    """Return ``"GenBank"`` or ``"EMBL"`` by the extension of a file; None for other extensions."""
    return FORMATS.get(uncompressed_suffix(path))


def letter_line(record: FlatRecord, position: int) -> int:
    """Return the line, 1-based, of the letter at a 0-based position of a record's `letters`."""
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
    """Yield the records of a GenBank or EMBL file (plain, gzip or bgzip).

    Args:
        path: the file.
        kinds: suffixes of the feature keys to read: ``RNA`` for ``mRNA`` and ``tRNA``. Other features, whose locations
            may have more forms, are skipped. If empty, feature tables are ignored.
        form: ``"GenBank"`` or ``"EMBL"``. Default: by the file extension.

    Raises:
        InputError: the extension is unknown; there is no record; a record is truncated or cannot be read by Biopython;
            or no feature has a readable location.
        GenolmError: Biopython is not installed (extra ``genbank``).

    Notes:
        Once, after the last record: features with an unreadable location were skipped.
    """
    path = Path(path)
    form = form or flat_format(path)
    if form is None:
        message = f"expected a GenBank or EMBL file: {', '.join(FORMATS)}, or one of these with .gz"
        raise InputError(message, file=path)
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
    """Yield the records of the file, each up to its line ``//``."""
    lines, number, begun, ended = list[str](), 0, False, False
    for number, line in text_lines(path):
        lines.append(line)
        if line.startswith(_BEGINS[form]):
            if begun:
                raise InputError(
                    "the record before this line is truncated: it has no line //",
                    file=path,
                    line=number,
                    code="damaged-file",
                )
            begun = True
        elif line.rstrip() == "//":
            yield _Text(path, form, lines, number)
            lines, begun, ended = [], False, True
    if begun:
        raise InputError("the last record is truncated: it has no line //", file=path, line=number, code="damaged-file")
    if not ended:
        raise InputError(f"the file contains no {form} record", file=path, code="empty-input")


class _Start(NamedTuple):
    """A feature as text, with its lines in the file, 1-based."""

    lines: tuple[int, ...]
    kind: str
    location: str

    @property
    def line(self) -> int:
        """First line of the feature."""
        return self.lines[0]


@dataclass(frozen=True, slots=True)
class _Text:
    """The lines of a record; ``last`` is the number of the last line, 1-based."""

    path: Path
    form: str
    lines: Sequence[str]
    last: int

    def record(self, parser: Any, kinds: tuple[str, ...], left_out: LeftOut) -> FlatRecord:
        """Return the record with the features of these kinds; those with an unreadable location are skipped."""
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
        """Return the first line of the record, after any preceding text."""
        before = next((n for n, line in enumerate(self.lines) if line.startswith(_BEGINS[self.form])), 0)
        return self.last - len(self.lines) + 1 + before

    def _sequence(self, parser: Any) -> Any:
        """Parse the record with Biopython, without features."""
        try:
            return self._read(parser, frozenset(number for number, _ in self._table()), features=False)
        except _BROKEN as error:
            self._refuse(error)

    def _parsed(self, parser: Any, kinds: tuple[str, ...], left_out: LeftOut) -> tuple[list[_Start], Any]:
        """Return the features as text and the record parsed by Biopython, both without unreadable features."""
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
        """Raise `InputError` for a line that is not a feature, such as sequence without ORIGIN."""
        first = self.last - len(self.lines) + 1
        for start in broken:
            text = self.lines[start.line - first]
            if text[2:5].strip() or not text[5:6].strip():
                raise InputError(UNREAD, file=self.path, line=start.line, value=start.location)

    def _read(self, parser: Any, without: frozenset[int], *, features: bool = True) -> Any:
        """Parse the record with Biopython, without some lines."""
        first = self.last - len(self.lines) + 1
        lines = [line for number, line in enumerate(self.lines, start=first) if number not in without]
        if self.form == "GenBank" and not features and not any(line.startswith("ORIGIN") for line in lines):
            lines.insert(-1, "ORIGIN")  # Biopython takes a record without a sequence for a truncated one
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about unused fields, or problems that are checked here
            record = next(parser.parse(io.StringIO("\n".join(lines) + "\n"), self.form.lower()), None)
        if record is None:
            raise InputError(f"no {self.form} record starts before this line", file=self.path, line=self.last)
        return record

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
        """Yield the numbered lines of the feature table, for EMBL without the prefix FT."""
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
        """Raise `InputError` for a feature in wrong columns, which Biopython skips or misreads."""
        for start, kind in zip_longest(starts, kinds):
            if start is None or start.kind != kind:
                raise InputError(
                    f"invalid {self.form} feature line: keys must start in column 6, locations in column 22",
                    file=self.path,
                    line=self.last if start is None else start.line,
                )

    def _refuse(self, error: Exception) -> NoReturn:
        reason = " ".join(str(error).split()) or "its lines are not in order"
        raise InputError(f"invalid {self.form} record: {reason}", file=self.path, line=self.last) from None


def _feature(start: _Start, feature: Any, record: str) -> FlatFeature:
    """Convert a feature of Biopython; `InputError` if its location is not supported."""
    parts = _parts(feature.location, start.location, record)
    qualifiers = {name: values[0] for name, values in feature.qualifiers.items()}
    return FlatFeature(start.kind, parts, start.location, qualifiers, start.line)


def _start(lines: tuple[int, ...], text: str) -> _Start:
    """Split a feature in one line; qualifiers start with a slash, which locations do not contain."""
    kind, _, rest = text.partition(" ")
    return _Start(lines, kind, rest.partition("/")[0].replace(" ", ""))


def _is_readable(location: str) -> bool:
    from Bio.SeqFeature import Location

    try:
        Location.fromstring(location)
    except _BROKEN:
        return False
    return True


def _parts(parsed: Any, location: str, record: str) -> tuple[Interval, ...]:
    """Return the intervals on this record; ``parsed`` is None if Biopython could not read ``location``."""
    if parsed is None:
        raise _unread(location)
    parts = (part for part in parsed.parts if part.ref is None)
    try:
        return tuple(
            Interval(record, int(part.start), int(part.end), "-" if part.strand == -1 else "+") for part in parts
        )
    except (TypeError, InputError):  # an unknown end, or a position between two bases
        raise _unread(location) from None


def _unread(location: str) -> InputError:
    return InputError(UNREAD, value=location)
