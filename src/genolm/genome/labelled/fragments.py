"""Fragments of genomes: random tiles of one length, or pieces of given lengths."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from genolm.errors import InputError
from genolm.genome.fasta import Genome
from genolm.genome.records import FlatRecord
from genolm.genome.sequence import upper_dna
from genolm.genome.sequence_files import SEQUENCE_ENDINGS, read_sequence_file

_SUFFIXES = (".gz", ".bgz", *SEQUENCE_ENDINGS, ".txt")
_TRIES = 200
"""Positions tried for one piece before the genome is considered full."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """A fragment of a genome.

    Attributes:
        genome: name of the genome: the file name without extensions.
        contig: name of the contig.
        start: first base, 0-based.
        end: end, exclusive.
        sequence: upper-case letters, with ambiguity codes as N.
    """

    genome: str
    contig: str
    start: int
    end: int
    sequence: str

    @property
    def id(self) -> str:
        """``genome:contig:start-end``, 0-based and half-open."""
        return f"{self.genome}:{self.contig}:{self.start}-{self.end}"


@dataclass(frozen=True, slots=True)
class Tiles:
    """Tiles sampled from a genome, and the number of tiles skipped because of N."""

    fragments: tuple[Fragment, ...]
    too_many_n: int


def genome_name(path: Path | str) -> str:
    """Return a file name without extensions: ``Escherichia_coli`` for ``Escherichia_coli.fna.gz``."""
    name = Path(path).name
    while (cut := next((suffix for suffix in _SUFFIXES if name.lower().endswith(suffix)), None)) and name != cut:
        name = name[: -len(cut)]
    return name


def read_genome(path: Path) -> list[FlatRecord]:
    """Read a FASTA, GenBank or EMBL file in upper case, with ambiguity codes as N.

    Raises:
        InputError: the file is invalid, empty or damaged, or contains only N.
    """
    records = list(read_sequence_file(path, partial(upper_dna, iupac="N")))
    if not any(set(record.sequence) - {"N"} for record in records):
        raise InputError("the file contains only N", file=path, code="empty-input")
    return records


def as_paths(given: Path | str | Genome | Iterable[Path | str | Genome]) -> tuple[Path, ...]:
    """Return one or several paths, or the files of genomes, as a tuple.

    Raises:
        InputError: the value is something else, such as sequences in memory.
    """
    listed = (given,) if isinstance(given, str | os.PathLike) or not isinstance(given, Iterable) else tuple(given)
    paths = [path.path if isinstance(path, Genome) else path for path in listed]
    if isinstance(given, Mapping) or not all(isinstance(path, str | os.PathLike) for path in paths):
        raise InputError(
            "expected a path or a list of paths; write sequences in memory to FASTA files first", value=given
        )
    return tuple(map(Path, paths))


def single_path(given: Path | str) -> Path:
    """Return a single path.

    Raises:
        InputError: the value is a list of several paths, or something else, such as sequences in memory.
    """
    paths = as_paths(given)
    if len(paths) != 1:
        raise InputError("expected the path of one file", value=given)
    return paths[0]


def named_files(paths: Iterable[Path | str]) -> dict[str, Path]:
    """Return files by the names of their genomes, in order.

    Raises:
        InputError: there are no files, or two genomes have the same name.
    """
    named: dict[str, Path] = {}
    for path in map(Path, paths):
        name = genome_name(path)
        if name in named:
            raise InputError(
                f"duplicate genome name, also of {named[name]}", file=path, value=name, code="duplicate-name"
            )
        named[name] = path
    if not named:
        raise InputError("no genome given", code="empty-input")
    return named


def tiles(
    genome: str, records: Sequence[FlatRecord], length: int, count: int, max_n: float, random: np.random.Generator
) -> Tiles:
    """Sample at most ``count`` non-overlapping tiles of ``length`` bases.

    Every contig is tiled from a random offset, so that all its bases can be sampled.

    Args:
        genome: name of the genome.
        records: sequences of the genome.
        length: length of a tile in bases.
        count: maximum number of tiles.
        max_n: maximum fraction of N in a tile.
        random: random generator.
    """
    starts = [
        (record, start)
        for record in records
        if len(record.sequence) >= length
        for start in range(int(random.integers(len(record.sequence) % length + 1)), len(record.sequence), length)
        if start + length <= len(record.sequence)
    ]
    kept, skipped = list[Fragment](), 0
    for number in random.permutation(len(starts)):
        record, start = starts[number]
        sequence = record.sequence[start : start + length]
        if len(kept) == count:
            break
        if sequence.count("N") > max_n * length:
            skipped += 1
        else:
            kept.append(Fragment(genome, record.id, start, start + length, sequence))
    return Tiles(tuple(sorted(kept, key=lambda one: (one.contig, one.start))), skipped)


class Pieces:
    """Sampler of non-overlapping pieces of a genome without N.

    Args:
        genome: name of the genome.
        records: sequences of the genome.
        random: random generator.
    """

    def __init__(self, genome: str, records: Sequence[FlatRecord], random: np.random.Generator) -> None:
        self._genome, self._records, self._random = genome, list(records), random
        self._taken: list[list[tuple[int, int]]] = [[] for _ in self._records]

    def draw(self, length: int) -> Fragment | None:
        """Sample a piece of ``length`` bases; None if the genome has no space left for it."""
        rooms = np.array([max(0, len(record.sequence) - length + 1) for record in self._records], np.float64)
        if not rooms.sum():
            return None
        for _ in range(_TRIES):
            number = int(self._random.choice(len(rooms), p=rooms / rooms.sum()))
            start = int(self._random.integers(int(rooms[number])))
            if self._free(number, start, start + length):
                record = self._records[number]
                self._taken[number].append((start, start + length))
                return Fragment(self._genome, record.id, start, start + length, record.sequence[start : start + length])
        return None

    def _free(self, number: int, start: int, end: int) -> bool:
        if any(start < stop and begin < end for begin, stop in self._taken[number]):
            return False
        return "N" not in self._records[number].sequence[start:end]


def matched_pieces(genomes: Sequence[Pieces], lengths: Iterable[int]) -> Iterator[Fragment]:
    """Yield a piece of every length, from the genomes in turn, skipping genomes without space.

    Raises:
        InputError: no genome has space for a piece.
    """
    for number, length in enumerate(lengths):
        turn = (genomes[(number + step) % len(genomes)].draw(length) for step in range(len(genomes)))
        piece = next((one for one in turn if one is not None), None)
        if piece is None:
            raise InputError(
                f"no genome has space for another piece of {length:,} bases without N; provide more genomes, or fewer"
                " or shorter sequences"
            )
        yield piece
