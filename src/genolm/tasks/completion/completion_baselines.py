"""Baselines of completions: a Markov model, another native gene, and the shuffled truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genolm.files.state import FileState, file_state
from genolm.genome.flat_files import read_flat_file
from genolm.genome.kmers import word_counts
from genolm.genome.sequence import upper_dna
from genolm.genome.sequence_files import flat_form, read_sequence_file
from genolm.statistics.markov import pseudocount_probabilities
from genolm.tasks.completion.gene_selection import Gene, GeneSelection, choose_genes, states

BASELINES = ("markov", "natural", "shuffled")
"""Names of the baselines, in the order of the rows."""

MAX_ORDER = 10
_LETTERS = "ACGT"
_DIGITS = str.maketrans(_LETTERS, "0123")


class Baselines:
    """Baselines of one run.

    The Markov model has one order and one pseudocount per base, without the interpolation of
    :class:`genolm.statistics.markov.MarkovModel`.

    Args:
        choice: selection of genes; genes that were not sampled are used as well.
        reference: FASTA file that the Markov model is fitted to; None for the genome of the genes if given, else the
            genes themselves, in both cases without the gene to complete.
        order: order of the Markov model.
    """

    def __init__(self, choice: GeneSelection, reference: Path | None, order: int) -> None:
        self.genes, self.order = choose_genes(replace(choice, count=0, beyond="")).genes, order
        self.both_strands = True
        sequences = _reference(choice, reference)
        if sequences is None:
            self.both_strands = False
            sequences = [gene.prompt + gene.truth for gene in self.genes]
        self.of_file = reference is None
        self.words = sum((self._counts(sequence) for sequence in sequences), np.zeros(4 ** (order + 1), np.int64))

    def draw(self, gene: Gene, random: np.random.Generator) -> dict[str, str | None]:
        """Sample one completion per baseline, as long as the truth; None if there is none."""
        return {
            "markov": self._markov(gene, random),
            "natural": self._natural(gene, random),
            "shuffled": "".join(random.permutation(list(gene.truth))),
        }

    def _markov(self, gene: Gene, random: np.random.Generator) -> str:
        """Continue the prompt by the Markov model."""
        excluded = self._counts(gene.prompt + gene.truth) if self.of_file else 0
        probabilities_C4 = pseudocount_probabilities(np.maximum(self.words - excluded, 0))
        steps = np.cumsum(probabilities_C4, axis=1)[:, :3].tolist()
        context = int(gene.prompt[-self.order :].translate(_DIGITS), 4) if self.order else 0
        written = []
        for number in random.random(len(gene.truth)).tolist():
            first, second, third = steps[context]
            digit = (number >= first) + (number >= second) + (number >= third)
            written.append(_LETTERS[digit])
            context = (context * 4 + digit) % len(steps)
        return "".join(written)

    def _natural(self, gene: Gene, random: np.random.Generator) -> str | None:
        """Return the corresponding part of another gene that is long enough."""
        start, stop = len(gene.prompt), len(gene.prompt) + len(gene.truth)
        others = [other for other in self.genes if other.id != gene.id and len(other.prompt + other.truth) >= stop]
        if not others:
            return None
        other = others[random.integers(len(others))]
        return (other.prompt + other.truth)[start:stop]

    def _counts(self, sequence: str) -> NDArray[np.int64]:
        return word_counts(sequence, self.order + 1, both_strands=self.both_strands)


def baselines(choice: GeneSelection, reference: Path | None, order: int) -> Baselines:
    """Return the baselines of a run, cached as long as the files are unchanged."""
    return _made(choice, reference, order, (*states(choice), file_state(reference)))


@lru_cache(maxsize=2)
def _made(choice: GeneSelection, reference: Path | None, order: int, _: tuple[FileState | None, ...]) -> Baselines:
    return Baselines(choice, reference, order)


def _reference(choice: GeneSelection, reference: Path | None) -> Sequence[str] | None:
    """Return the sequences that the Markov model is fitted to; None for the genes alone."""
    path = reference or choice.genome
    if path is not None:
        return [record.sequence for record in read_sequence_file(path, partial(upper_dna, iupac="N"))]
    if form := flat_form(choice.path):
        return [record.sequence for record in read_flat_file(choice.path, kinds=(), form=form)]
    return None
