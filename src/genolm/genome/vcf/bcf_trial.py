"""Check before a run that a VCF can be written as BCF without loss."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pysam

from genolm.errors import InputError
from genolm.genome.vcf.bcf import HELD_BY_VCF, encode, undeclared
from genolm.genome.vcf.vcf_info import edited_info
from genolm.genome.vcf.vcf_text import bcf_records, header_text, open_bcf, read_vcf_text, record_text

_CHUNK = 1 << 24
"""Bytes of text per trial."""
_DIGITS = 1e-5
"""Relative tolerance for numbers, which BCF stores in 32 bits and htslib prints with six digits."""

Records = Sequence[tuple[int, bytes]]


def check_bcf(template: Path) -> None:
    """Raise `InputError` if the header or a record of a VCF cannot be stored in BCF unchanged.

    Everything is converted by htslib and read back. Numbers may lose digits beyond the sixth; any other change is an
    error: a number beyond 32 bits, text where the header declares a number, a duplicate sample name, a header line or
    record that htslib cannot parse.

    Args:
        template: a VCF or BCF file, which is read twice.

    Raises:
        InputError: BCF cannot store the file; names the line (for BCF the number of the record).
    """
    header = read_vcf_text(template).header
    with tempfile.TemporaryDirectory() as folder:
        trial = _Trial(template, header, Path(folder))
        trial.try_header()
        trial.declare()
        for records in _chunks(read_vcf_text(template).records):
            trial.try_records(records)


@dataclass(slots=True)
class _Trial:
    """A header, with which records are converted by htslib.

    Attributes:
        file: the file.
        header: lines of the header.
        folder: folder for temporary files.
    """

    file: Path
    header: tuple[bytes, ...]
    folder: Path

    def try_header(self) -> None:
        self._check_samples()
        kept = self._encoded(self.header, ())
        if kept is None:
            number = _first_bad(len(self.header) - 1, self._prefix_fails)
            raise self._error("htslib cannot parse this header line", number, self.header[number - 1])
        known = {_key(line) for line in kept[0]}
        for number, line in enumerate(self.header, start=1):
            if line.startswith(b"##") and _key(line) not in known:
                raise self._error("htslib cannot parse this header line (text must be in double quotes)", number, line)

    def declare(self) -> None:
        """Add header lines for everything undeclared that the records use."""
        lines = (line for _, line in read_vcf_text(self.file).records)
        missing = undeclared(chain(self.header, lines))
        self.header = (*self.header[:-1], *missing, self.header[-1])

    def try_records(self, records: Records) -> None:
        lines = [_with_plain_info(line) for _, line in records]
        kept = self._encoded(self.header, lines)
        if kept is None:
            number, line = records[_first_bad(len(records), lambda end: self._fails(lines[:end])) - 1]
            raise self._error(_cause(line), number, line[:60])
        for (number, _), before, after in zip(records, lines, kept[1], strict=True):
            if before != after and (loss := _loss(before, after)):
                what, was, becomes = (text.decode("utf-8", "replace") for text in loss)
                raise self._error(f"{what} would become {becomes!r}", number, was)

    def _check_samples(self) -> None:
        columns = self.header[-1].split(b"\t")
        if len(columns) == 9:
            raise self._error("the #CHROM line has a FORMAT column but no samples", len(self.header), None)
        for name, count in Counter(columns[9:]).items():
            if count > 1:
                raise self._error("duplicate sample name", len(self.header), name)
            if not name:
                raise self._error("empty sample name", len(self.header), None)

    def _prefix_fails(self, end: int) -> bool:
        return self._encoded((*self.header[:end], self.header[-1]), ()) is None

    def _fails(self, lines: Sequence[bytes]) -> bool:
        return self._encoded(self.header, lines) is None

    def _encoded(self, header: Sequence[bytes], lines: Sequence[bytes]) -> tuple[list[bytes], Iterator[bytes]] | None:
        """Return header lines and records after conversion to BCF; None if htslib cannot store them."""
        text, stored = self.folder / "trial.vcf", self.folder / "trial.bcf"
        with text.open("wb") as file:
            file.writelines(line + b"\n" for line in chain(header, lines))
        try:
            encode(text, stored, "u")
        except pysam.utils.SamtoolsError:
            return None
        with open_bcf(stored) as file:
            return header_text(file).split(b"\n"), _read_back(stored)

    def _error(self, message: str, line: int, value: bytes | str | None) -> InputError:
        shown = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        return InputError(f"{message}: {HELD_BY_VCF}", file=self.file, line=line, value=shown)


def _read_back(path: Path) -> Iterator[bytes]:
    with open_bcf(path) as file:
        for record in bcf_records(file, path):
            yield record_text(record)


def _chunks(records: Iterator[tuple[int, bytes]]) -> Iterator[Records]:
    chunk: list[tuple[int, bytes]] = []
    size = 0
    for record in records:
        chunk.append(record)
        size += len(record[1])
        if size >= _CHUNK:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _first_bad(count: int, fails: Callable[[int], bool]) -> int:
    """Return the smallest number of leading entries that fail, given that all ``count`` entries fail."""
    low, high = 0, count
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fails(middle) else (middle, high)
    return high


def _key(line: bytes) -> bytes:
    """Return the identity of a header line: its kind and, for a structured line, its ID."""
    kind, structured, rest = line.partition(b"=<ID=")
    return kind + structured + rest.partition(b",")[0].rstrip(b">") if structured else line.partition(b"=")[0]


def _with_plain_info(line: bytes) -> bytes:
    """Return the line as it is written without annotations: empty INFO entries are removed."""
    columns = line.split(b"\t", 8)
    columns[7] = edited_info(columns[7], (), {}, 1)
    return b"\t".join(columns)


def _cause(line: bytes) -> str:
    """Return why htslib cannot store a record, if it is a common reason."""
    columns = line.split(b"\t")
    if b"," in columns[0] or columns[0].startswith((b"*", b"=")):
        return f"{columns[0].decode('utf-8', 'replace')!r} is not a valid contig name in VCF"
    if columns[1].isdigit() and int(columns[1]) >= 1 << 31:
        return "POS is beyond 2,147,483,647"
    keys = columns[8].count(b":") + 1 if len(columns) > 8 else 0
    if any(sample.count(b":") >= keys for sample in columns[9:]):
        return f"a sample has more values than there are FORMAT keys ({keys})"
    return "htslib cannot store this record"


Loss = tuple[bytes, bytes, bytes]
"""Field, value before and value after conversion to BCF."""
_FIELDS = (b"CHROM", b"POS", b"ID", b"REF", b"ALT", b"QUAL", b"FILTER")


def _loss(before: bytes, after: bytes) -> Loss | None:
    """Return the first field that BCF would change."""
    old, new = before.split(b"\t", 9), after.split(b"\t", 9)
    for name, was, becomes in zip(_FIELDS, old, new):
        if not _same(was, becomes):
            return name, was, becomes
    return _info_loss(old[7], new[7]) or (_sample_loss(old, new) if len(old) > 9 and old[9] != new[9] else None)


def _info_loss(old: bytes, new: bytes) -> Loss | None:
    if old == new:
        return None
    olds, news = old.split(b";"), new.split(b";")
    for was, becomes in zip(olds, news):
        name, _, value = was.partition(b"=")
        other, _, again = becomes.partition(b"=")
        if name != other or not _same(value, again):
            return b"INFO " + name, was, becomes
    return None if len(olds) == len(news) else (b"INFO", old, new)


def _sample_loss(old: list[bytes], new: list[bytes]) -> Loss | None:
    keys = old[8].split(b":")
    for was, becomes in zip(old[9].split(b"\t"), new[9].split(b"\t"), strict=True):
        if was != becomes:
            values = [*was.split(b":"), *[b"."] * len(keys)]
            for key, value, again in zip(keys, values, becomes.split(b":")):
                if not _same(value, again):
                    return b"FORMAT " + key, value, again
    return None


def _same(was: bytes, becomes: bytes) -> bool:
    """Whether two texts represent the same value, or list of values."""
    if was == becomes or (_is_missing(was) and _is_missing(becomes)):
        return True
    old, new = was.split(b","), becomes.split(b",")
    return len(old) == len(new) and all(one == other or _same_number(one, other) for one, other in zip(old, new))


def _is_missing(value: bytes) -> bool:
    return not value.strip(b".,/|")


def _same_number(was: bytes, becomes: bytes) -> bool:
    try:
        before, after = float(was), float(becomes)
    except ValueError:
        return False
    return before == after or abs(before - after) <= _DIGITS * abs(before)


__all__ = ["check_bcf"]
