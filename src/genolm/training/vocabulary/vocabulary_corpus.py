"""Sequence for a byte-pair vocabulary: blocks of FASTA files, drawn by a seed, some of them held out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genolm.errors import InputError
from genolm.files.digests import sha256_of_file
from genolm.genome.sequence import upper_dna
from genolm.genome.sequence_files import read_sequence_file

BLOCK = 10_000
"""Bases that are drawn together."""

HELD_OUT = 0.05
HELD_OUT_BASES = 1_000_000
"""The report is about this share of the blocks, at most so many bases; training never sees them."""

_SHORTEST = 50  # shorter runs between N have hardly any token that they would have elsewhere
_RUN = re.compile(f"[ACGT]{{{_SHORTEST},}}")


@dataclass(frozen=True, slots=True)
class Blocks:
    """Stretches of ACGT of some FASTA files, each at most :data:`BLOCK` bases.

    Attributes:
        files: the FASTA files.
        places_B4: file, contig (both counted from 0), start and end (0-based half-open) of every block, in file order.
        inputs: name, size, SHA-256, contigs and bases of every file.
    """

    files: tuple[Path, ...]
    places_B4: NDArray[np.int64]
    inputs: tuple[dict[str, Any], ...]

    @property
    def bases(self) -> int:
        """Bases of all blocks."""
        return int((self.places_B4[:, 3] - self.places_B4[:, 2]).sum())

    def select(self, chosen: NDArray[np.int64]) -> Blocks:
        """The blocks of these numbers, in file order."""
        return Blocks(self.files, self.places_B4[np.sort(chosen)], self.inputs)

    def sequences(self) -> Iterator[str]:
        """The letters of every block, upper case; reads the files again.

        Raises:
            InputError: a file that cannot be read.
        """
        for number, path in enumerate(self.files):
            ours_B4 = self.places_B4[self.places_B4[:, 0] == number]
            for contig, record in enumerate(read_sequence_file(path, _normalised) if len(ours_B4) else ()):
                for start, end in ours_B4[ours_B4[:, 1] == contig, 2:].tolist():
                    yield record.sequence[start:end]


def find_blocks(files: Sequence[str | Path]) -> Blocks:
    """All blocks of the files; ambiguous letters end a block as N does.

    Raises:
        InputError: no file, one given twice, one that cannot be read, or no stretch of at least 50 bases of ACGT.
    """
    paths = tuple(Path(file) for file in files)
    if not paths:
        raise InputError("give at least one FASTA file")
    if Path("-") in paths:
        raise InputError("files are read twice, which standard input cannot be", file="-")
    if twice := next((path for path in paths if paths.count(path) > 1), None):
        raise InputError("is given twice", file=twice)
    places: list[tuple[int, int, int, int]] = []
    inputs = []
    for number, path in enumerate(paths):
        contigs = bases = 0
        for contig, record in enumerate(read_sequence_file(path, _normalised)):
            places += [(number, contig, *place) for place in _blocks(record.sequence)]
            contigs, bases = contigs + 1, bases + len(record.sequence)
        told = {"file": path.name, "bytes": path.stat().st_size, "sha256": sha256_of_file(path)}
        inputs.append({**told, "contigs": contigs, "bases": bases})
    if not places:
        raise InputError(f"no stretch of {_SHORTEST} bases A, C, G, T stands in {', '.join(map(str, paths))}")
    return Blocks(paths, np.array(places, np.int64), tuple(inputs))


def sample_blocks(blocks: Blocks, bases: int, seed: int, *, held_out: bool = True) -> tuple[Blocks, Blocks]:
    """Blocks to train on and blocks to report on, drawn by the seed.

    Args:
        blocks: what there is.
        bases: about so many bases to train on, or all there are.
        seed: of the draw.
        held_out: whether to hold any out; with a single block there is nothing to hold out.

    Returns:
        Training blocks and held-out blocks; the second may be empty.
    """
    order = np.random.default_rng(seed).permutation(len(blocks.places_B4))
    lengths = (blocks.places_B4[:, 3] - blocks.places_B4[:, 2])[order]
    before = np.cumsum(lengths) - lengths
    limit = min(HELD_OUT * blocks.bases, HELD_OUT_BASES) if held_out and len(order) > 1 else 0
    kept = int((before < limit).sum())
    wanted = before[kept:] - before[kept] < bases
    return blocks.select(order[kept:][wanted]), blocks.select(order[:kept])


def _normalised(letters: str) -> str:
    return upper_dna(letters, iupac="N")


def _blocks(sequence: str) -> Iterator[tuple[int, int]]:
    for run in _RUN.finditer(sequence):
        for start in range(run.start(), run.end(), BLOCK):
            yield start, min(start + BLOCK, run.end())
