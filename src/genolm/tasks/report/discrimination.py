"""Separation of two classes by a score (AUROC), and by a baseline of base composition."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genolm.arrays import Float64
from genolm.errors import InputError
from genolm.genome.fasta import Genome
from genolm.genome.interval import Interval
from genolm.genome.sequence import reverse_complement
from genolm.statistics.auroc import auroc as area
from genolm.statistics.auroc import stratified_interval
from genolm.statistics.markov import pseudocount_probabilities
from genolm.tasks.report.scored_variants import ScoredAllele

ORDER = 3
_HORIZON = 32
_CODES = np.full(256, 255, np.uint8)
_CODES[np.frombuffer(b"ACGT", np.uint8)] = np.arange(4)


@dataclass(frozen=True, slots=True)
class Auroc:
    """Area under the ROC curve with its bootstrap interval.

    Attributes:
        value: probability that a random positive scores above a random negative, ties counted half.
        low: 2.5 % quantile of the bootstrap.
        high: 97.5 % quantile of the bootstrap.
        positives: number of positives.
        negatives: number of negatives.
    """

    value: float
    low: float
    high: float
    positives: int
    negatives: int

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def auroc(positives: Sequence[float], negatives: Sequence[float], *, resamples: int = 1000, seed: int = 0) -> Auroc:
    """Return the AUROC of scores that are higher for positives, with a stratified 95 % bootstrap interval.

    Raises:
        InputError: one of the classes is empty.
    """
    if not len(positives) or not len(negatives):
        raise InputError("an AUROC requires at least one positive and one negative")
    values_M = np.concatenate([positives, negatives]).astype(np.float64)
    positive_M = np.arange(len(values_M)) < len(positives)
    low, high = stratified_interval(values_M[positive_M], values_M[~positive_M], resamples, seed)
    return Auroc(float(area(values_M, positive_M)[0]), low, high, len(positives), len(negatives))


def composition_scores(
    genome: Genome, alleles: Iterable[ScoredAllele], regions: Iterable[Interval]
) -> list[float | None]:
    """Score ALT alleles by an order-3 Markov chain counted on both strands of the regions, a baseline of composition.

    The score is, like the model's, the log-likelihood of ALT minus that of REF in nats, over the same number of bases;
    None for an allele with letters other than A, C, G, T or a contig that the genome lacks. The chain has one
    pseudocount per base and no interpolation of orders, unlike :class:`genolm.statistics.markov.MarkovModel`.
    """
    log_probabilities = _count_chain(genome, regions)
    return [_composition_score(genome, log_probabilities, allele) for allele in alleles]


def _count_chain(genome: Genome, regions: Iterable[Interval]) -> Float64:
    """Return the log-probabilities of the last base of every word, ``(4**ORDER, 4)``, with one pseudocount each."""
    counts = np.zeros(4 ** (ORDER + 1), np.int64)
    for region in regions:
        text = genome[Interval(region.chrom, region.start, region.end)]
        for strand in (text, reverse_complement(text)):
            words = _words(strand)
            counts += np.bincount(words[words >= 0], minlength=len(counts))
    return np.log(pseudocount_probabilities(counts))


def _words(text: str) -> NDArray[np.int64]:
    """Return the words of `ORDER` + 1 bases as numbers; -1 for a word with a letter other than A, C, G, T."""
    codes = _CODES[np.frombuffer(text.encode(), np.uint8)].astype(np.int64)
    count = max(0, len(codes) - ORDER)
    words = np.zeros(count, np.int64)
    for shift in range(ORDER + 1):
        words = words * 4 + codes[shift : shift + count]
    invalid = np.convolve(codes == 255, np.ones(ORDER + 1, int))[ORDER : ORDER + count] > 0
    return np.where(invalid, -1, words)


def _composition_score(genome: Genome, log_probabilities: Float64, allele: ScoredAllele) -> float | None:
    if not set(allele.ref + allele.alt) <= set("ACGT"):
        return None
    start = allele.pos - 1
    try:
        before = genome.fetch(allele.chrom, start - ORDER, start)
        after = genome.fetch(allele.chrom, start + len(allele.ref), start + len(allele.ref) + _HORIZON)
    except InputError:
        return None
    horizon = max(_HORIZON, len(allele.ref), len(allele.alt))
    likelihoods = [
        _likelihood(log_probabilities, before + (base + after)[:horizon]) for base in (allele.ref, allele.alt)
    ]
    return likelihoods[1] - likelihoods[0]


def _likelihood(log_probabilities: Float64, text: str) -> float:
    words = _words(text)
    return float(log_probabilities.reshape(-1)[words[words >= 0]].sum())
