"""Records of GenBank and EMBL flat files, read by Biopython: the bases, and where the features lie.

Biopython names no lines, takes a file that ends inside a sequence for a whole one, and passes over features that stand
in other columns. So it is given one record at a time, and its lines are looked at beside what was read of them: each of
these is an error that names file and line. Positions in the files are 1-based and inclusive; an `Interval` is 0-based
and half-open.
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

from genolm.errors import GenolmError, InputError
from genolm.genome.interval import Interval
from genolm.genome.lines import placed, text_lines
from genolm.genome.sequence import upper_dna

FORMATS = {".gbk": "GenBank", ".gb": "GenBank", ".gbff": "GenBank", ".genbank": "GenBank", ".embl": "EMBL"}
"""What the endings of file names mean; ``.gz`` or ``.bgz`` may follow."""

_BEGINS = {"GenBank": "LOCUS ", "EMBL": "ID "}
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
        with placed(self.file, self.line):
            if not self.letters:
                raise InputError(f"record {self.id} has no sequence")
            return upper_dna(self.letters, iupac="N", rna=True)


def flat_format(path: Path) -> str | None:
    """``"GenBank"`` or ``"EMBL"`` by the ending of a file's name, which ``.gz`` may follow; None for any other."""
    return FORMATS.get(Path(path.name.lower().removesuffix(".gz").removesuffix(".bgz")).suffix)


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
        InputError: another ending; no record, one that is cut off or that Biopython cannot read, a location that it
            cannot read; names file and line.
        GenolmError: Biopython is not installed (extra ``genbank``).
    """
    path = Path(path)
    form = form or flat_format(path)
    if form is None:
        raise InputError(f"GenBank and EMBL files end in {', '.join(FORMATS)}, also with .gz", file=path)
    parser = _parser()
    for text in _texts(path, form):
        yield text.record(text.parsed(parser, features=bool(kinds)), kinds)


def _parser() -> Any:
    try:
        from Bio import SeqIO
    except ImportError:
        raise GenolmError(
            "GenBank and EMBL files are read by biopython, which is not installed: pip install 'genolm[genbank]'"
        ) from None
    return SeqIO


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
    """A feature as text: its first line in the file, 1-based."""

    line: int
    kind: str
    location: str


@dataclass(frozen=True, slots=True)
class _Text:
    """The lines of a record; ``last`` is the number of the last, 1-based."""

    path: Path
    form: str
    lines: Sequence[str]
    last: int

    def parsed(self, parser: Any, *, features: bool) -> Any:
        """The record as Biopython has it, with or without its features."""
        lines = self.lines if features else self._without_features()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what nothing here reads, or what is checked here
                found = next(parser.parse(io.StringIO("\n".join(lines) + "\n"), self.form.lower()), None)
        except _BROKEN as error:
            self._refuse(error)
        if found is None:
            raise InputError(f"no {self.form} record begins before this line", file=self.path, line=self.last)
        return found

    def record(self, parsed: Any, kinds: tuple[str, ...]) -> FlatRecord:
        """The record with the features of these kinds."""
        name = parsed.name if parsed.id in _UNNAMED else parsed.id
        starts = self._starts() if kinds else []
        if kinds:
            self._check_columns(starts, [feature.type for feature in parsed.features])
        features = tuple(
            self._feature(start, feature, name)
            for start, feature in zip(starts, parsed.features)
            if start.kind.endswith(kinds)
        )
        letters = str(parsed.seq) if parsed.seq.defined else ""
        return FlatRecord(name, features, letters, self.path, self.last, self._first())

    def _first(self) -> int:
        """The line on which the record begins, after what may stand before it."""
        before = next((n for n, line in enumerate(self.lines) if line.startswith(_BEGINS[self.form])), 0)
        return self.last - len(self.lines) + 1 + before

    def _feature(self, start: _Start, feature: Any, record: str) -> FlatFeature:
        with placed(self.path, start.line):
            parts = _parts(feature.location, start.location, record)
        qualifiers = {name: values[0] for name, values in feature.qualifiers.items()}
        return FlatFeature(start.kind, parts, start.location, qualifiers, start.line)

    def _without_features(self) -> list[str]:
        """The lines but for those of the feature table."""
        left_out = {number for number, _ in self._table()}
        first = self.last - len(self.lines) + 1
        kept = [line for number, line in enumerate(self.lines, start=first) if number not in left_out]
        if self.form == "GenBank" and not any(line.startswith("ORIGIN") for line in kept):
            kept.insert(-1, "ORIGIN")  # a record without a sequence, which Biopython takes for one that is cut off
        return kept

    def _starts(self) -> list[_Start]:
        features = list[tuple[int, list[str]]]()
        for number, line in self._table():
            if line[:21].strip():
                features.append((number, [line.strip()]))
            elif features:
                features[-1][1].append(line.strip())
        return [_start(number, "".join(lines)) for number, lines in features]

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
        """Says what Biopython stumbled over: a location, if it is one."""
        for start in self._starts():
            if not _is_readable(start.location):
                with placed(self.path, start.line):
                    raise _unread(start.location)
        told = " ".join(str(error).split()) or "its lines are not in order"
        raise InputError(f"not readable as {self.form}: {told}", file=self.path, line=self.last) from None


def _start(number: int, text: str) -> _Start:
    """``text`` is the feature in one line; locations have no slash, qualifiers begin with one."""
    kind, _, rest = text.partition(" ")
    return _Start(number, kind, rest.partition("/")[0].replace(" ", ""))


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
    return InputError("a location that genolm does not read", value=location)
