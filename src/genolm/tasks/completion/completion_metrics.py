"""How like the truth a completion is, and how far its reading frame stays open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from genolm.errors import GenolmError
from genolm.genome.annotation.coding_sequences import translate
from genolm.tasks.completion.gene_selection import Gene

MEASURES = ("nucleotide_identity", "protein_identity", "longest_frame_bases", "frame_to_stop_bases")
"""Names of the measures, as the columns are called."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Of one completion.

    Attributes:
        nucleotide_identity: equal bases over the columns of a global alignment of completion and truth with the fewest
            differences.
        protein_identity: the same of the proteins of completion and truth, up to the first stop codon of each.
        longest_frame_bases: the longest stretch without a stop codon in the gene's frame, prompt included.
        frame_to_stop_bases: bases from the gene's start to its first stop codon in frame, or to its end; the stop codon
            itself is not counted.
    """

    nucleotide_identity: float
    protein_identity: float
    longest_frame_bases: int
    frame_to_stop_bases: int


def require() -> Any:
    """The package that aligns.

    Raises:
        GenolmError: it is not installed; the message says how to.
    """
    try:
        import edlib
    except ImportError:
        raise GenolmError("completing genes needs edlib, which is not installed: pip install 'genolm[check]'") from None
    return edlib


def measure(gene: Gene, completion: str) -> Measured:
    """Compares a completion with the truth."""
    first = len(gene.prompt) // 3
    proteins = [translate(gene.prompt + rest, gene.code) for rest in (completion, gene.truth)]
    made, wanted = (protein[first:].split("*", 1)[0] for protein in proteins)
    open_codons = [len(run) for run in proteins[0].split("*")]
    return Measured(identity(completion, gene.truth), identity(made, wanted), 3 * max(open_codons), 3 * open_codons[0])


def identity(one: str, other: str) -> float:
    """Equal letters over the columns of a global alignment with the fewest differences (Myers 1999); 0 to 1.

    Two empty texts are alike; an empty one and another are not.
    """
    if not one or not other:
        return float(one == other)
    path = require().align(one, other, mode="NW", task="path")["cigar"]
    columns: dict[str, int] = {}
    for count, kind in _runs(path):
        columns[kind] = columns.get(kind, 0) + count
    return columns.get("=", 0) / sum(columns.values())


def _runs(cigar: str) -> list[tuple[int, str]]:
    ends = [place for place, letter in enumerate(cigar) if not letter.isdigit()]
    starts = [0, *(end + 1 for end in ends[:-1])]
    return [(int(cigar[start:end]), cigar[end]) for start, end in zip(starts, ends)]
