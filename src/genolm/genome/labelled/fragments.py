"""Genomes out of FASTA files, and pieces of them: disjoint tiles of one length, or pieces of given lengths."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from genolm.errors import InputError
from genolm.genome.records import FlatRecord
from genolm.genome.sequence import upper_dna
from genolm.genome.sequence_files import SEQUENCE_ENDINGS, read_sequence_file

_SUFFIXES = (".gz", ".bgz", *SEQUENCE_ENDINGS, ".txt")
_TRIES = 200
"""Places that are tried for one piece before the genome counts as full."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of a genome.

    Attributes:
        genome: name of the genome, that of its file without endings.
        contig: name of the sequence that it lies on.
        start: first base, 0-based.
        end: base after the last.
        sequence: its letters, upper case; what is ambiguous reads N.
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
    """The tiles taken from a genome, and how many were looked at and passed over because of N."""

    fragments: tuple[Fragment, ...]
    too_many_n: int


def genome_name(path: Path | str) -> str:
    """A file's name without its endings: ``Escherichia_coli.fna.gz`` is Escherichia_coli."""
    name = Path(path).name
    while (cut := next((suffix for suffix in _SUFFIXES if name.lower().endswith(suffix)), None)) and name != cut:
        name = name[: -len(cut)]
    return name


def read_genome(path: Path) -> list[FlatRecord]:
    """The sequences of a FASTA, GenBank or EMBL file in upper case, ambiguous letters as N.

    Raises:
        InputError: no FASTA, an empty one, one without any base A, C, G or T, a damaged file.
    """
    records = list(read_sequence_file(path, partial(upper_dna, iupac="N")))
    if not any(set(record.sequence) - {"N"} for record in records):
        raise InputError("the file holds nothing but N", file=path)
    return records


def as_paths(given: Path | str | Iterable[Path | str]) -> tuple[Path, ...]:
    """Return one path or several as paths.

    Raises:
        InputError: anything else, such as sequences in memory.
    """
    paths = (given,) if isinstance(given, str | os.PathLike) or not isinstance(given, Iterable) else tuple(given)
    if isinstance(given, Mapping) or not all(isinstance(path, str | os.PathLike) for path in paths):
        raise InputError(
            "a path or a list of paths is expected; write sequences in memory to FASTA files first", value=given
        )
    return tuple(map(Path, paths))


def single_path(given: Path | str) -> Path:
    """Return the one path that is given.

    Raises:
        InputError: several paths, or anything else, such as sequences in memory.
    """
    paths = as_paths(given)
    if len(paths) != 1:
        raise InputError("the path of one file is expected", value=given)
    return paths[0]


def named_files(paths: Iterable[Path | str]) -> dict[str, Path]:
    """Files by the names of their genomes, in their order.

    Raises:
        InputError: none, or two of one name.
    """
    named: dict[str, Path] = {}
    for path in map(Path, paths):
        name = genome_name(path)
        if name in named:
            raise InputError(f"a genome of this name was given before: {named[name]}", file=path, value=name)
        named[name] = path
    if not named:
        raise InputError("no genome was given")
    return named


def tiles(
    genome: str, records: Sequence[FlatRecord], length: int, count: int, max_n: float, random: np.random.Generator
) -> Tiles:
    """At most ``count`` tiles of ``length`` bases that do not overlap, drawn at random.

    Every contig is tiled from an offset that is drawn too, so that all its bases can be met.

    Args:
        genome: name of the genome.
        records: its sequences.
        length: bases of a tile.
        count: most tiles.
        max_n: largest share of N in a tile.
        random: where offsets and order come from.
    """
    places = [
        (record, start)
        for record in records
        if len(record.sequence) >= length
        for start in range(int(random.integers(len(record.sequence) % length + 1)), len(record.sequence), length)
        if start + length <= len(record.sequence)
    ]
    kept, skipped = list[Fragment](), 0
    for number in random.permutation(len(places)):
        record, start = places[number]
        sequence = record.sequence[start : start + length]
        if len(kept) == count:
            break
        if sequence.count("N") > max_n * length:
            skipped += 1
        else:
            kept.append(Fragment(genome, record.id, start, start + length, sequence))
    return Tiles(tuple(sorted(kept, key=lambda one: (one.contig, one.start))), skipped)


class Pieces:
    """Draws pieces of given lengths from a genome; none overlaps another while there is room, none holds an N.

    Args:
        genome: its name.
        records: its sequences.
        random: where places come from.
    """

    def __init__(self, genome: str, records: Sequence[FlatRecord], random: np.random.Generator) -> None:
        self._genome, self._records, self._random = genome, list(records), random
        self._taken: list[list[tuple[int, int]]] = [[] for _ in self._records]

    def draw(self, length: int) -> Fragment | None:
        """A piece of ``length`` bases; None where the genome has no room for it."""
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
    """A piece for every length, from the genomes in turn; from the next one with room where one has none.

    Raises:
        InputError: no genome has room for a length.
    """
    for number, length in enumerate(lengths):
        turn = (genomes[(number + step) % len(genomes)].draw(length) for step in range(len(genomes)))
        piece = next((one for one in turn if one is not None), None)
        if piece is None:
            raise InputError(
                f"no genome has room for another piece of {length:,} bases without N; give more genomes, or fewer or"
                " shorter sequences"
            )
        yield piece
