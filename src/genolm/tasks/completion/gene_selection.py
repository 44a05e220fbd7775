"""Selection of the genes to complete, and of the position at which each is cut."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from genolm.errors import InputError
from genolm.files.state import FileState, file_state
from genolm.genome.annotation.coding_sequences import CODES, CodingSequence, read_coding, translate
from genolm.genome.left_out import LeftOut
from genolm.tasks.reading.seeds import check_seed

_BASES = set("ACGT")
_REPEATED = "with the name of another one"
TOO_LONG = "too long for the model's context"
"""Reason for genes that exceed the model's context."""


@dataclass(frozen=True, slots=True)
class Gene:
    """A gene to complete.

    Attributes:
        id: name.
        place: location as text; empty if unknown.
        code: number of its genetic code.
        prompt: its first part, complete codons.
        truth: the rest, complete codons, with the stop codon.
    """

    id: str
    place: str
    code: int
    prompt: str
    truth: str


@dataclass(frozen=True, slots=True)
class GeneSelection:
    """Criteria of the selection of genes.

    Attributes:
        path: GenBank, EMBL, GFF3, GTF or FASTA file.
        genome: FASTA file of the contigs of a GFF3 or GTF.
        fraction: part of a gene that is the prompt.
        shortest: minimum length of a gene in bases.
        longest: maximum length in bases; 0 for no limit.
        count: number of genes to sample; 0 for all.
        seed: random seed of the sample.
        code: genetic code if the annotation has none.
        beyond: genes that exceed the model's context, as the bits of a hexadecimal number; the lowest bit is the first
            gene that no other criterion leaves out. Empty for none.

    Raises:
        InputError: a fraction, seed or genetic code is invalid.
    """

    path: Path
    genome: Path | None
    fraction: float
    shortest: int
    longest: int
    count: int
    seed: int
    code: int
    beyond: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.fraction < 1:
            raise InputError("the prompt fraction must be between 0 and 1, exclusive", value=self.fraction)
        translate("", self.code)
        check_seed(self.seed)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Selected genes.

    Attributes:
        genes: genes to complete, in the order of the file.
        left_out: number of other genes, by reason.
    """

    genes: tuple[Gene, ...]
    left_out: dict[str, int]


def choose_genes(choice: GeneSelection) -> Chosen:
    """Return the genes of a file that can be completed, cached as long as the files are unchanged.

    Raises:
        InputError: no gene can be completed, or the file is invalid.
        GenolmError: Biopython (extra ``genbank``) is needed for GenBank or EMBL and not installed.

    Notes:
        Once, for genes that are left out because an earlier one has the same name.
    """
    return _chosen(choice, states(choice))


def states(choice: GeneSelection) -> tuple[FileState | None, ...]:
    """Return a value that changes if one of the input files changes."""
    return file_state(choice.path), file_state(choice.genome)


@lru_cache(maxsize=2)
def _chosen(choice: GeneSelection, _: tuple[FileState | None, ...]) -> Chosen:
    genes: list[Gene] = []
    left_out: Counter[str] = Counter()
    names: set[str] = set()
    repeated = LeftOut(choice.path)
    beyond, number = int(choice.beyond or "0", 16), 0
    for coding in read_coding(choice.path, choice.genome, choice.code):
        if coding.id in names:
            repeated.add(_REPEATED, coding.line, coding.id)
            left_out[_REPEATED] += 1
            continue
        names.add(coding.id)
        reason = _reason(coding, choice)
        if not reason:
            reason, number = TOO_LONG if beyond >> number & 1 else "", number + 1
        if reason:
            left_out[reason] += 1
        else:
            cut = max(3, int(len(coding.sequence) * choice.fraction) // 3 * 3)
            genes.append(Gene(coding.id, coding.place, coding.code, coding.sequence[:cut], coding.sequence[cut:]))
    repeated.report(len(names))
    if not genes:
        reasons = ", ".join(f"{number} {reason}" for reason, number in left_out.items()) or "there is none"
        raise InputError(f"no coding sequence can be completed: {reasons}", file=choice.path)
    return Chosen(_sampled(genes, choice, left_out), dict(left_out))


def _sampled(genes: list[Gene], choice: GeneSelection, left_out: Counter[str]) -> tuple[Gene, ...]:
    if not 0 < choice.count < len(genes):
        return tuple(genes)
    left_out["not drawn"] = len(genes) - choice.count
    numbers = np.random.default_rng(choice.seed).choice(len(genes), choice.count, replace=False)
    return tuple(genes[number] for number in sorted(numbers))


def _reason(coding: CodingSequence, choice: GeneSelection) -> str:
    """Return why a coding sequence is left out; empty if it is not."""
    length = len(coding.sequence)
    if coding.code not in CODES:
        return f"of genetic code {coding.code}"
    if not coding.whole:
        return "cut off or pseudogene"
    if length % 3:
        return "no whole number of codons"
    if set(coding.sequence) - _BASES:
        return "with other letters than A, C, G, T"
    if length < choice.shortest:
        return f"shorter than {choice.shortest:,} bases"
    if choice.longest and length > choice.longest:
        return f"longer than {choice.longest:,} bases"
    protein = translate(coding.sequence, coding.code)
    if not protein.endswith("*"):
        return "without a stop codon"
    return "with a stop codon inside" if "*" in protein[:-1] else ""
