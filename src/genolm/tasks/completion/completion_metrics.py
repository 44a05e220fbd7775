"""Similarity of a completion to the truth, and length of its open reading frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from genolm.files.optional import require
from genolm.genome.annotation.coding_sequences import translate
from genolm.tasks.completion.gene_selection import Gene

MEASURES = ("nucleotide_identity", "protein_identity", "longest_frame_bases", "frame_to_stop_bases")
"""Names of the measures and of their columns."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Measures of one completion.

    Attributes:
        nucleotide_identity: identical columns of the global alignment of completion and truth with the fewest
            differences, over all columns.
        protein_identity: identity of the proteins of completion and truth, each up to its first stop codon.
        longest_frame_bases: longest run of bases without a stop codon in the gene's frame, prompt included.
        frame_to_stop_bases: bases from the gene's start to its first in-frame stop codon, exclusive, or to its end.
    """

    nucleotide_identity: float
    protein_identity: float
    longest_frame_bases: int
    frame_to_stop_bases: int


def require_edlib() -> Any:
    """Return the alignment package.

    Raises:
        GenolmError: edlib is not installed.
    """
    return require("edlib", extra="check", purpose="gene completion")


def measure(gene: Gene, completion: str) -> Measured:
    """Compare a completion with the truth."""
    first = len(gene.prompt) // 3
    proteins = [translate(gene.prompt + rest, gene.code) for rest in (completion, gene.truth)]
    completed, true = (protein[first:].split("*", 1)[0] for protein in proteins)
    open_codons = [len(run) for run in proteins[0].split("*")]
    return Measured(
        identity(completion, gene.truth), identity(completed, true), 3 * max(open_codons), 3 * open_codons[0]
    )


def identity(one: str, other: str) -> float:
    """Return the identity of two texts in their global alignment with the fewest differences (Myers 1999), 0 to 1.

    Two empty texts are identical; an empty and another text have identity 0.
    """
    if not one or not other:
        return float(one == other)
    path = require_edlib().align(one, other, mode="NW", task="path")["cigar"]
    columns: dict[str, int] = {}
    for count, kind in _runs(path):
        columns[kind] = columns.get(kind, 0) + count
    return columns.get("=", 0) / sum(columns.values())


def _runs(cigar: str) -> list[tuple[int, str]]:
    ends = [position for position, letter in enumerate(cigar) if not letter.isdigit()]
    starts = [0, *(end + 1 for end in ends[:-1])]
    return [(int(cigar[start:end]), cigar[end]) for start, end in zip(starts, ends)]
