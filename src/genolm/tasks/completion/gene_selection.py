"""Which genes are completed, and where each is cut."""

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
"""Why a gene is left out that the model cannot read whole."""


@dataclass(frozen=True, slots=True)
class Gene:
    """A gene that is completed.

    Attributes:
        id: its name.
        place: where it lies, as text; empty where nobody says.
        code: number of its genetic code.
        prompt: its first part, whole codons.
        truth: the rest, whole codons, the stop codon last.
    """

    id: str
    place: str
    code: int
    prompt: str
    truth: str


@dataclass(frozen=True, slots=True)
class Choice:
    """How genes are chosen.

    Attributes:
        path: GenBank, EMBL, GFF3, GTF or FASTA.
        genome: FASTA that a GFF3 or GTF speaks of.
        fraction: part of a gene that is the prompt.
        shortest: bases of the shortest gene that is taken.
        longest: bases of the longest; 0 for any.
        count: so many, drawn by the seed; 0 for all.
        seed: of the draw.
        code: genetic code where the annotation names none.
        beyond: genes that the model cannot read whole, as the bits of a hexadecimal number: the lowest one is that of
            the first gene that no other reason leaves out. Empty for none.

    Raises:
        InputError: a fraction or a seed out of its range, or no such genetic code.
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
            raise InputError("the prompt is a part of the gene, more than 0 and less than 1", value=self.fraction)
        translate("", self.code)
        check_seed(self.seed)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was found.

    Attributes:
        genes: those to complete, in the order of the file.
        left_out: how many were not taken, by reason.
    """

    genes: tuple[Gene, ...]
    left_out: dict[str, int]


def choose_genes(choice: Choice) -> Chosen:
    """Return the genes of a file that can be completed; read once while the files stay as they are.

    Raises:
        InputError: none can, and whatever the file's format refuses.
        GenolmError: GenBank or EMBL and no Biopython (extra ``genbank``).

    Warns:
        UserWarning: once, of genes that are left out because one before has the same name, as on another contig.
    """
    return _chosen(choice, states(choice))


def states(choice: Choice) -> tuple[FileState | None, ...]:
    """Return what changes when a file that genes are chosen from does."""
    return file_state(choice.path), file_state(choice.genome)


@lru_cache(maxsize=2)
def _chosen(choice: Choice, _: tuple[FileState | None, ...]) -> Chosen:
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
        told = ", ".join(f"{number} {reason}" for reason, number in left_out.items()) or "it holds none"
        raise InputError(f"no coding sequence that can be completed: {told}", file=choice.path)
    return Chosen(_drawn(genes, choice, left_out), dict(left_out))


def _drawn(genes: list[Gene], choice: Choice, left_out: Counter[str]) -> tuple[Gene, ...]:
    if not 0 < choice.count < len(genes):
        return tuple(genes)
    left_out["not drawn"] = len(genes) - choice.count
    numbers = np.random.default_rng(choice.seed).choice(len(genes), choice.count, replace=False)
    return tuple(genes[number] for number in sorted(numbers))


def _reason(coding: CodingSequence, choice: Choice) -> str:
    """Why a coding sequence is not taken; empty when it is."""
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
