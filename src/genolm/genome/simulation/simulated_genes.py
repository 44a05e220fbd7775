"""Simulated genes: promoter, exons and introns with their signals, open reading frame, poly-A signal.

A gene is simulated 5' to 3' as an array of base codes (0 A, 1 C, 2 G, 3 T) and then placed on a contig. Offsets are
relative to the first base of the array, which is `UPSTREAM` bases before the transcription start.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from genolm.arrays import Float64
from genolm.genome.simulation import human_figures as figures

Codes = NDArray[np.uint8]
Span = tuple[int, int]

UPSTREAM = 300  # bases of promoter before the transcription start
DOWNSTREAM = 60  # bases after the cleavage site, with the G/T-rich element
TATA_START = -32  # where the TATA matrix begins, from the transcription start
TATA_CORE = slice(1, 7)  # the six positions of the matrix that spell TATAAA
ISLAND = (0.17, 0.33, 0.33, 0.17)  # base frequencies of CpG islands, sampled independently: CpG is not depleted
ISLAND_REACH = (-250, 100)  # where a CpG island lies, from the transcription start
BRANCH_DISTANCE = (20, 40)  # from the end of the branch-point matrix to the end of the intron
INTRON_LENGTH = (90, 2500)
MIN_EXON = 45  # coding bases between two introns
START_MARGIN = 30  # coding bases before the first and after the last intron

_LETTERS = np.frombuffer(b"ACGT", np.uint8)
_CODON_WEIGHTS = np.array(
    [
        [[figures.CODONS[a + b + c] * (figures.GENETIC_CODE[a + b + c] != "*") for c in "ACGT"] for b in "ACGT"]
        for a in "ACGT"
    ]
)
_STOPS = ("TAA", "TAG", "TGA")


@dataclass(frozen=True, slots=True)
class DraftGene:
    """A gene, 5' to 3'; spans are 0-based half-open offsets.

    Attributes:
        codes: base codes of promoter, transcript and downstream region, ``(bases,)``.
        exons: spans of the exons, in order.
        coding: span from the start codon to the stop codon, both included.
        tata: span of the TATA matrix; None for a promoter without a TATA box.
        island: whether the promoter is a CpG island.
        signal: span of the poly-A signal.
    """

    codes: Codes
    exons: tuple[Span, ...]
    coding: Span
    tata: Span | None
    island: bool
    signal: Span

    @property
    def introns(self) -> tuple[Span, ...]:
        """Spans of the introns."""
        return tuple((left[1], right[0]) for left, right in pairwise(self.exons))


class Sampler:
    """Sampler of bases from a random generator."""

    def __init__(self, random: np.random.Generator) -> None:
        self.random = random
        cumulative = np.cumsum(figures.background(), axis=1)
        self._thresholds: list[tuple[float, float, float]] = [(row[0], row[1], row[2]) for row in cumulative.tolist()]

    def background(self, length: int) -> Codes:
        """Sample bases from the order-3 Markov chain of human DNA."""
        codes, context = bytearray(length), int(self.random.integers(64))
        for position, draw in enumerate(self.random.random(length).tolist()):
            first, second, third = self._thresholds[context]
            code = (draw >= first) + (draw >= second) + (draw >= third)
            codes[position] = code
            context = (context << 2 & 63) | code
        return np.frombuffer(bytes(codes), np.uint8).copy()

    def rows(self, weights: Float64) -> Codes:
        """Sample one base per row of unnormalised weights."""
        cumulative = np.cumsum(weights, axis=1)
        draws = self.random.random(len(weights)) * cumulative[:, -1]
        return np.asarray((draws[:, None] >= cumulative).sum(axis=1), np.uint8)

    def integer(self, low: int, high: int) -> int:
        """Sample an integer from `low` to `high`, inclusive."""
        return int(self.random.integers(low, high + 1))

    def chance(self, probability: float) -> bool:
        """Return True with the given probability."""
        return bool(self.random.random() < probability)


def draw_gene(sampler: Sampler) -> DraftGene:
    """Simulate a gene: 40 % of promoters have a TATA box and 60 % are CpG islands, independently."""
    has_tata, island = sampler.chance(0.4), sampler.chance(0.6)
    message, coding, cuts = _draw_message(sampler, island)
    signal = len(message) - sampler.integer(15, 25) - 6
    message[signal : signal + 6] = _draw_signal(sampler)
    pieces = _with_introns(sampler, message, cuts)
    codes = np.concatenate([_draw_promoter(sampler, has_tata, island), *pieces, _draw_downstream(sampler)])
    _put_initiator(sampler, codes)
    exons = _exon_spans(pieces)
    return DraftGene(
        codes=codes,
        exons=exons,
        coding=(_to_offset(coding[0], exons), _to_offset(coding[1] - 1, exons) + 1),
        tata=(UPSTREAM + TATA_START, UPSTREAM + TATA_START + len(figures.TATA)) if has_tata else None,
        island=island,
        signal=(_to_offset(signal, exons), _to_offset(signal, exons) + 6),
    )


def letters(codes: Codes) -> str:
    """Return base codes as upper-case letters."""
    return _LETTERS[codes].tobytes().decode()


def codes_of(text: str) -> Codes:
    """Return the base codes of upper-case ACGT."""
    return np.searchsorted(_LETTERS, np.frombuffer(text.encode(), np.uint8)).astype(np.uint8)


def _draw_message(sampler: Sampler, island: bool) -> tuple[Codes, Span, list[int]]:
    """Return the spliced transcript, its coding span, and the positions of introns."""
    codons = sampler.integer(80, 320)
    start = sampler.integer(50, 160)
    end = start + 3 * codons
    length = end + sampler.integer(160, 420)
    cuts = _draw_cuts(sampler, start + START_MARGIN, end - START_MARGIN)
    weights = _signal_weights(length, start, cuts)
    message = sampler.background(length)
    if island:
        message[: ISLAND_REACH[1]] = sampler.rows(np.tile(ISLAND, (ISLAND_REACH[1], 1)))
    message[start - 9 : start] = sampler.rows(weights[start - 9 : start])
    message[start:end] = _draw_coding(sampler, weights[start:end])
    return message, (start, end), cuts


def _draw_cuts(sampler: Sampler, low: int, high: int) -> list[int]:
    cuts: list[int] = []
    for cut in sorted(sampler.integer(low, high) for _ in range(sampler.integer(0, 6))):
        if not cuts or cut - cuts[-1] >= MIN_EXON:
            cuts.append(cut)
    return cuts


def _signal_weights(length: int, start: int, cuts: list[int]) -> Float64:
    """Return the weights of signals in exons for each base of the transcript; 1 outside signals."""
    weights = np.ones((length, 4))
    weights[start - 9 : start + 4] = figures.KOZAK
    for cut in cuts:
        weights[cut - 3 : cut] *= figures.DONOR[:3]
        weights[cut : cut + 2] *= figures.ACCEPTOR[-2:]
    return weights


def _draw_coding(sampler: Sampler, weights: Float64) -> Codes:
    """Sample codons by human usage and signal weights, from ATG to a single stop codon."""
    triples = weights.reshape(-1, 3, 4)
    joint = np.einsum("na,nb,nc,abc->nabc", triples[:, 0], triples[:, 1], triples[:, 2], _CODON_WEIGHTS)
    codons = _draw_flat(sampler, joint.reshape(len(triples), 64))
    coding = np.stack([codons >> 4, codons >> 2 & 3, codons & 3], axis=1).astype(np.uint8)
    usage = np.array([figures.CODONS[stop] for stop in _STOPS])
    stop = _STOPS[int(sampler.random.choice(3, p=usage / usage.sum()))]
    coding[0], coding[-1] = codes_of("ATG"), codes_of(stop)
    return coding.reshape(-1)


def _draw_flat(sampler: Sampler, weights: Float64) -> NDArray[np.int64]:
    cumulative = np.cumsum(weights, axis=1)
    draws = sampler.random.random(len(weights)) * cumulative[:, -1]
    return np.asarray((draws[:, None] >= cumulative).sum(axis=1), np.int64)


def _with_introns(sampler: Sampler, message: Codes, cuts: list[int]) -> list[Codes]:
    """Return exons and introns alternately; odd pieces are introns."""
    pieces = [message[: cuts[0]] if cuts else message]
    for cut, following in pairwise([*cuts, len(message)]):
        pieces += [_draw_intron(sampler), message[cut:following]]
    return pieces


def _draw_intron(sampler: Sampler) -> Codes:
    length = int(np.clip(sampler.random.lognormal(np.log(350), 0.8), *INTRON_LENGTH))
    intron = sampler.background(length)
    intron[:6] = sampler.rows(figures.DONOR[3:])
    branch = length - sampler.integer(*BRANCH_DISTANCE)
    intron[branch - len(figures.BRANCH) : branch] = sampler.rows(figures.BRANCH)
    intron[-15:] = sampler.rows(figures.ACCEPTOR[:15])
    return intron


def _draw_promoter(sampler: Sampler, has_tata: bool, island: bool) -> Codes:
    promoter = sampler.background(UPSTREAM)
    if island:
        reach = -ISLAND_REACH[0]
        promoter[-reach:] = sampler.rows(np.tile(ISLAND, (reach, 1)))
    if has_tata:
        promoter[TATA_START : TATA_START + len(figures.TATA)] = _draw_tata(sampler)
    return promoter


def _draw_tata(sampler: Sampler) -> Codes:
    """Sample a TATA box with the core TATAAA or TATATA, so that the effect of mutations is clear."""
    box = sampler.rows(figures.TATA)
    box[TATA_CORE] = codes_of("TATAAA" if sampler.chance(0.64) else "TATATA")
    return box


def _put_initiator(sampler: Sampler, codes: Codes) -> None:
    codes[UPSTREAM - 2 : UPSTREAM + 6] = sampler.rows(figures.INITIATOR)


def _draw_signal(sampler: Sampler) -> Codes:
    signals = list(figures.POLYADENYLATION)
    return codes_of(signals[0] if sampler.chance(figures.POLYADENYLATION[signals[0]]) else signals[1])


def _draw_downstream(sampler: Sampler) -> Codes:
    downstream = sampler.background(DOWNSTREAM)
    downstream[10:35] = sampler.rows(np.tile((0.05, 0.10, 0.35, 0.50), (25, 1)))
    return downstream


def _exon_spans(pieces: list[Codes]) -> tuple[Span, ...]:
    borders = UPSTREAM + np.concatenate([[0], np.cumsum([len(piece) for piece in pieces])])
    return tuple((int(borders[number]), int(borders[number + 1])) for number in range(0, len(pieces), 2))


def _to_offset(position: int, exons: tuple[Span, ...]) -> int:
    """Convert a position in the spliced transcript to an offset in the gene."""
    for start, end in exons:
        if position < end - start:
            return start + position
        position -= end - start
    raise IndexError(position)
