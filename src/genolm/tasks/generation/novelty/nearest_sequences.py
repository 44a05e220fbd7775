"""Similarity of sequences to the training genomes of a model: shared k-mers, longest exact match, identity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genolm.files.optional import require
from genolm.genome.kmers import KMER, KmerSet, letters
from genolm.genome.labelled.fragments import genome_name, read_genome
from genolm.genome.records import FlatRecord
from genolm.genome.sequence import reverse_complement
from genolm.tasks.generation.novelty.exact_matches import NONE, Match, Matcher

_SLACK = 0.1  # of a query's length, on either side of its expected position in the text
_LEAST_SLACK = 50


@dataclass(frozen=True, slots=True)
class Nearest:
    """Similarity of a sequence to genomes.

    Attributes:
        kmers: number of its 28-mers without N.
        shared: number of these that occur in a genome, on either strand.
        length: bases of the longest exact match; 0 if there is none of at least 16.
        place: that match as ``genome:contig:start-end`` (0-based, half-open); empty for none.
        strand: strand of the match; empty for none.
        identity: 1 - edit distance / length of the complete sequence at that match; None for none.
    """

    kmers: int
    shared: int
    length: int
    place: str
    strand: str
    identity: float | None


class Comparison:
    """Comparison of sequences with one genome after another.

    Args:
        sequences: upper-case letters.
        origins: file that each sequence comes from, which is skipped for it; None for sequences from elsewhere.

    Raises:
        GenolmError: edlib is not installed.
    """

    def __init__(self, sequences: Sequence[str], origins: Sequence[Path | None]) -> None:
        self._edlib = require("edlib", extra="check", purpose="sequence identity")
        self._sequences, self._origins = list(sequences), [None if path is None else path.resolve() for path in origins]
        self._matcher = Matcher(self._sequences)
        self._shared = [np.zeros(max(0, len(one) - KMER + 1), bool) for one in self._sequences]
        self._best = [NONE] * len(self._sequences)
        self._places = [""] * len(self._sequences)
        self._around = [""] * len(self._sequences)
        self._compared = np.zeros(len(self._sequences), bool)

    def add(self, path: Path) -> None:
        """Compare with all sequences of a FASTA file.

        Raises:
            InputError: the file cannot be read.
        """
        records = read_genome(path)
        skip = np.array([origin == path.resolve() for origin in self._origins], bool)
        self._compared |= ~skip
        known = KmerSet(letters(record.sequence) for record in records)
        for shared, sequence, skipped in zip(self._shared, self._sequences, skip):
            if not skipped:
                shared |= known.share(letters(sequence))
        for record in records:
            self._match(record, genome_name(path), skip)

    def nearest(self) -> list[Nearest | None]:
        """Return the results; None for sequences that were compared with no genome but their own."""
        return [self._result(number) if compared else None for number, compared in enumerate(self._compared)]

    def _match(self, record: FlatRecord, genome: str, skip: np.ndarray[Any, np.dtype[np.bool_]]) -> None:
        for number, match in enumerate(self._matcher.best(record.sequence, skip)):
            if match.length > self._best[number].length:
                self._best[number] = match
                self._places[number] = f"{genome}:{record.id}:{match.start}-{match.start + match.length}"
                self._around[number] = _around(record.sequence, match, len(self._sequences[number]))

    def _result(self, number: int) -> Nearest:
        sequence, match = self._sequences[number], self._best[number]
        kmers = _count_kmers(sequence)
        strand = match.strand if match.length else ""
        return Nearest(
            kmers, int(self._shared[number].sum()), match.length, self._places[number], strand, self._identity(number)
        )

    def _identity(self, number: int) -> float | None:
        match = self._best[number]
        if not match.length:
            return None
        sequence = self._sequences[number]
        query = sequence if match.strand == "+" else reverse_complement(sequence)
        # N of a query must not match N of the text.
        distance = self._edlib.align(query.replace("N", "n"), self._around[number], mode="HW", task="distance")
        return max(0.0, 1 - float(distance["editDistance"]) / len(query))


def _around(text: str, match: Match, length: int) -> str:
    """Return the part of a text in which the complete query is expected."""
    slack = max(_LEAST_SLACK, int(_SLACK * length))
    begin = match.start - match.query_start
    return text[max(0, begin - slack) : begin + length + slack]


def _count_kmers(sequence: str) -> int:
    """Return the number of 28-mers without N."""
    runs = (len(run) for run in sequence.split("N"))
    return sum(max(0, run - KMER + 1) for run in runs)
