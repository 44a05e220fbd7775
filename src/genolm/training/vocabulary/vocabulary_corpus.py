"""Training sequence of a byte-pair vocabulary: randomly sampled blocks of FASTA files, some of them held out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genolm.errors import InputError
from genolm.files.digests import file_sha256
from genolm.genome.sequence import upper_dna
from genolm.genome.sequence_files import read_sequence_file

BLOCK = 10_000
"""Bases that are sampled together."""

HELD_OUT = 0.05
HELD_OUT_BASES = 1_000_000
"""Fraction of the blocks that is held out for the report, and its maximum in bases."""

_SHORTEST = 50  # in shorter stretches between N, most tokens are cut
_RUN = re.compile(f"[ACGT]{{{_SHORTEST},}}")


@dataclass(frozen=True, slots=True)
class Blocks:
    """Stretches of A, C, G and T in FASTA files, each of at most :data:`BLOCK` bases.

    Attributes:
        files: the FASTA files.
        places_B4: file, contig (both 0-based), start and end (0-based, half-open) of each block, in file order.
        inputs: name, size, SHA-256, contigs and bases of each file.
    """

    files: tuple[Path, ...]
    places_B4: NDArray[np.int64]
    inputs: tuple[dict[str, Any], ...]

    @property
    def bases(self) -> int:
        """Bases of all blocks."""
        return int((self.places_B4[:, 3] - self.places_B4[:, 2]).sum())

    def select(self, indices: NDArray[np.int64]) -> Blocks:
        """Return the blocks with these indices, in file order."""
        return Blocks(self.files, self.places_B4[np.sort(indices)], self.inputs)

    def sequences(self) -> Iterator[str]:
        """Yield the upper-case sequence of each block; reads the files again.

        Raises:
            InputError: a file cannot be read.
        """
        for number, path in enumerate(self.files):
            blocks_B4 = self.places_B4[self.places_B4[:, 0] == number]
            for contig, record in enumerate(read_sequence_file(path, _normalised) if len(blocks_B4) else ()):
                for start, end in blocks_B4[blocks_B4[:, 1] == contig, 2:].tolist():
                    yield record.sequence[start:end]


def find_blocks(files: Sequence[str | Path]) -> Blocks:
    """Return all blocks of the files; ambiguity codes end a block, as N does.

    Raises:
        InputError: there is no file, one is given twice or cannot be read, or no stretch has 50 bases of ACGT.
    """
    paths = tuple(Path(file) for file in files)
    if not paths:
        raise InputError("give at least one FASTA file")
    if Path("-") in paths:
        raise InputError("the files are read twice; save standard input as a file first", file="-")
    if repeated := next((path for path in paths if paths.count(path) > 1), None):
        raise InputError("is given twice", file=repeated)
    spans: list[tuple[int, int, int, int]] = []
    inputs = []
    for number, path in enumerate(paths):
        contigs = bases = 0
        for contig, record in enumerate(read_sequence_file(path, _normalised)):
            spans += [(number, contig, *span) for span in _blocks(record.sequence)]
            contigs, bases = contigs + 1, bases + len(record.sequence)
        facts = {"file": path.name, "bytes": path.stat().st_size, "sha256": file_sha256(path)}
        inputs.append({**facts, "contigs": contigs, "bases": bases})
    if not spans:
        raise InputError(f"no stretch of at least {_SHORTEST} bases A, C, G, T in {', '.join(map(str, paths))}")
    return Blocks(paths, np.array(spans, np.int64), tuple(inputs))


def sample_blocks(blocks: Blocks, bases: int, seed: int, *, held_out: bool = True) -> tuple[Blocks, Blocks]:
    """Sample blocks for training and blocks for the report.

    Args:
        blocks: all blocks.
        bases: approximate number of bases to train on; fewer if there are not as many.
        seed: random seed.
        held_out: whether to hold blocks out; a single block is never held out.

    Returns:
        Training blocks and held-out blocks; the latter may be empty.
    """
    order = np.random.default_rng(seed).permutation(len(blocks.places_B4))
    lengths = (blocks.places_B4[:, 3] - blocks.places_B4[:, 2])[order]
    before = np.cumsum(lengths) - lengths
    limit = min(HELD_OUT * blocks.bases, HELD_OUT_BASES) if held_out and len(order) > 1 else 0
    count = int((before < limit).sum())
    selected = before[count:] - before[count] < bases
    return blocks.select(order[count:][selected]), blocks.select(order[:count])


def _normalised(letters: str) -> str:
    return upper_dna(letters, iupac="N")


def _blocks(sequence: str) -> Iterator[tuple[int, int]]:
    for run in _RUN.finditer(sequence):
        for start in range(run.start(), run.end(), BLOCK):
            yield start, min(start + BLOCK, run.end())
