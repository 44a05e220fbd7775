"""Reading and writing of bigWig and bedGraph files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, repeat
from pathlib import Path
from typing import IO, Any

import numpy as np
import pybigtools
import pysam
from numpy.typing import NDArray

from genolm.arrays import Float32
from genolm.errors import InputError, ResourceError
from genolm.files.atomic import atomic_file
from genolm.files.kinds import HEAD, check_kind
from genolm.files.lines import locate_errors, text_lines
from genolm.genome.contig_names import ContigNames, Synonyms, chrom_aliases
from genolm.genome.interval import Interval

Piece = tuple[str, int, Float32]
Run = tuple[str, int, int, float]

_MAGIC = (b"\x26\xfc\x8f\x88", b"\x88\x8f\xfc\x26")  # bigWig, either byte order


def write_bigwig(path: str | Path, lengths: Mapping[str, int], values: Iterable[Piece]) -> Path:
    """Write one value per base as a bigWig file; equal values give equal bytes.

    Args:
        path: output file, written atomically.
        lengths: length of every contig in bases, for the header.
        values: pieces ``(chrom, start, float32 array)``, `start` 0-based. The pieces of a contig must be consecutive,
            sorted and without overlaps. NaN and uncovered bases become "no data".

    Returns:
        The path.

    Raises:
        InputError: a contig is not in `lengths`, a piece exceeds its contig, pieces are not sorted, a value is
            infinite, or there are no values (a bigWig file needs at least one).
        ResourceError: the file could not be written completely.
    """
    path = Path(path)
    with atomic_file(path) as partial:
        _fill_bigwig(path, partial, dict(lengths), values)
    return path


def write_bedgraph(path: str | Path, lengths: Mapping[str, int], values: Iterable[Piece]) -> Path:
    """Write one value per base as a bedGraph file, merging equal neighbours; ``.gz`` and ``.bgz`` give bgzip.

    Arguments and errors are those of `write_bigwig`, but a file without values is allowed. Values are printed with the
    fewest digits that restore the same float32.
    """
    path = Path(path)
    with atomic_file(path) as partial:
        _fill_bedgraph(partial, chain.from_iterable(_runs(path, lengths, values)))
    return path


def read_bigwig(path: str | Path, interval: Interval) -> Float32:
    """Return one value per base of an interval, ``(len(interval),)``; NaN without data and beyond the contig.

    Values follow the strand: on ``-`` the first value is that of the last base of the interval.

    Raises:
        InputError: the file is not a bigWig or is truncated, the contig is unknown, or the interval is completely
            beyond its contig.
    """
    with BigWig(path) as track:
        return track.values(interval)


def bigwig_lengths(path: str | Path) -> dict[str, int]:
    """Return the contigs of a bigWig that have data, with their lengths in bases."""
    with BigWig(path) as track:
        return track.lengths


def read_bedgraph(path: str | Path) -> Iterator[Run]:
    """Yield the lines of a bedGraph (plain, gzip or bgzip) as ``(chrom, start, end, value)``, 0-based half-open.

    Raises:
        InputError: a line does not have four columns, or a coordinate or value is invalid.
    """
    path = Path(path)
    for number, line in text_lines(path):
        if line.strip() and not line.startswith(("#", "track", "browser")):
            yield _parse_run(path, number, line)


def _fill_bigwig(path: Path, partial: Path, lengths: dict[str, int], values: Iterable[Piece]) -> None:
    guarded = _Guarded(_runs(path, lengths, values))
    runs = chain.from_iterable(guarded)
    first = next(runs, None)
    if first is None:
        raise guarded.error or InputError("no values to write: a bigWig file needs at least one", file=path)
    draft = partial.with_name(f"{partial.name}.bw")  # the library goes by the extension
    try:
        pybigtools.open(str(draft), "w").write(lengths, chain([first], runs))
        if guarded.error is not None:
            raise guarded.error
        _check_written(path, draft)
        draft.replace(partial)
    finally:
        draft.unlink(missing_ok=True)


def _check_written(path: Path, draft: Path) -> None:
    """Read the header back: the library prints errors such as a full disk and does not raise them."""
    try:
        bigwig_lengths(draft)
    except InputError:
        message = f"{path}: the bigWig could not be written completely, e.g. because the disk is full; free space"
        raise ResourceError(message, code="disk-full") from None


def _fill_bedgraph(partial: Path, runs: Iterator[Run]) -> None:
    lines = (f"{chrom}\t{start}\t{end}\t{np.float32(value)!s}\n" for chrom, start, end, value in runs)
    if partial.suffix in {".gz", ".bgz"}:
        with pysam.BGZFile(str(partial), "wb", None) as compressed:
            for line in lines:
                compressed.write(line.encode())
    else:
        with partial.open("w", encoding="utf-8", newline="\n") as plain:
            plain.writelines(lines)


class _Guarded:
    """Iterator that stops at an error and stores it, because the bigWig writer would print it and continue."""

    def __init__(self, items: Iterator[Iterable[Run]]) -> None:
        self._items = items
        self.error: Exception | None = None

    def __iter__(self) -> Iterator[Iterable[Run]]:
        return self

    def __next__(self) -> Iterable[Run]:
        try:
            return next(self._items)
        except StopIteration:
            raise
        except Exception as error:
            self.error = error
            raise StopIteration from None


def _runs(path: Path, lengths: Mapping[str, int], values: Iterable[Piece]) -> Iterator[Iterable[Run]]:
    """Check the pieces and merge equal neighbours within each; yield the runs of each piece."""
    current, reached, finished = "", 0, set[str]()
    for chrom, start, array in values:
        if chrom != current:
            finished.add(current)
            current, reached = chrom, 0
        _check_piece(path, lengths, chrom, start, array, reached, finished)
        reached = start + len(array)
        yield _equal_neighbours(chrom, start, np.asarray(array, np.float32))


def _check_piece(
    path: Path, lengths: Mapping[str, int], chrom: str, start: int, array: Float32, reached: int, finished: set[str]
) -> None:
    region = f"{chrom}:{start + 1}-{start + len(array)}"
    if chrom not in lengths:
        raise InputError("values for a contig without a length", file=path, value=chrom)
    if start < 0 or start + len(array) > lengths[chrom]:
        raise InputError(f"values off the contig, which has {lengths[chrom]} bases", file=path, value=region)
    if chrom in finished or start < reached:
        raise InputError("values are out of order or overlap", file=path, value=region)
    if np.isinf(array).any():
        raise InputError("an infinite value", file=path, value=region)


def _equal_neighbours(chrom: str, start: int, array: Float32) -> Iterable[Run]:
    if not len(array):
        return ()
    boundaries = np.flatnonzero(array[1:] != array[:-1]) + 1  # NaN differs from itself, so it is never merged
    firsts = np.concatenate(([0], boundaries))
    ends = np.concatenate((boundaries, [len(array)]))
    kept = ~np.isnan(array[firsts])
    firsts, ends = firsts[kept], ends[kept]
    return zip(repeat(chrom), (firsts + start).tolist(), (ends + start).tolist(), array[firsts].tolist())


class BigWig:
    """A bigWig opened for reading, whatever its file extension; a context manager.

    Contigs are found as in a `Genome`, by any name that `genolm.genome.contig_names.ContigNames` resolves.

    Args:
        path: the file.
        synonyms: further names of contigs, such as `Genome.synonyms`; those of a ``chromAlias.txt`` next to the bigWig
            are added.

    Attributes:
        path: the file.
        lengths: length in bases of every contig with data.

    Raises:
        InputError: the file is not a bigWig or is truncated, or its alias file is malformed.
    """

    def __init__(self, path: str | Path, synonyms: Synonyms = ()) -> None:
        self.path = Path(path)
        synonyms = (*synonyms, *chrom_aliases(self.path))
        self._file = _open_checked(self.path)
        try:
            self._reader = pybigtools.open(self._file)
            self.lengths: dict[str, int] = dict(self._reader.chroms())
            self._names = ContigNames(self.lengths, synonyms)
        except Exception as error:
            self._file.close()
            raise InputError("the bigWig is truncated or damaged", file=self.path, code="damaged-file") from error

    def __enter__(self) -> BigWig:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()
        self._file.close()

    def values(self, interval: Interval) -> Float32:
        """Return one value per base of an interval; see `read_bigwig`."""
        chrom = self._resolve(interval)
        length = self.lengths[chrom]
        start, end = max(interval.start, 0), min(interval.end, length)
        if start >= end:
            raise InputError(
                f"off the contig, which has {length} bases", file=self.path, value=str(interval), code="off-contig"
            )
        array = np.full(len(interval), np.nan, np.float32)
        array[start - interval.start : end - interval.start] = self._read(chrom, start, end)
        return array[::-1].copy() if interval.strand == "-" else array

    def _read(self, chrom: str, start: int, end: int) -> NDArray[Any]:
        try:
            return np.asarray(self._reader.values(chrom, start, end, fillna=None))
        except Exception as error:
            raise InputError("the bigWig is truncated or damaged", file=self.path, code="damaged-file") from error

    def _resolve(self, interval: Interval) -> str:
        with locate_errors(self.path, None):
            name = self._names.find(interval.chrom)
        if name is None:
            contigs = ", ".join(list(self.lengths)[:5])
            raise InputError(
                f"no data for this contig; the track has {contigs}",
                file=self.path,
                value=interval.chrom,
                code="unknown-contig",
            )
        return name


def _open_checked(path: Path) -> IO[bytes]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=path, code="unreadable-file") from error
    head = file.read(HEAD)
    if head[:4] not in _MAGIC:
        file.close()
        check_kind(head, path)
        raise InputError("not a bigWig file", file=path)
    file.seek(0)
    return file


def _parse_run(path: Path, number: int, line: str) -> Run:
    columns = line.split()
    if len(columns) != 4:
        raise InputError(
            f"a bedGraph line must have 4 columns, found {len(columns)}", file=path, line=number, value=line.strip()
        )
    try:
        start, end, value = int(columns[1]), int(columns[2]), float(columns[3])
    except ValueError as error:
        raise InputError(
            "bedGraph coordinates and values must be numbers", file=path, line=number, value=line.strip()
        ) from error
    if not 0 <= start < end:
        raise InputError("a bedGraph interval must have 0 <= start < end", file=path, line=number, value=line.strip())
    return columns[0], start, end, value
