"""Drawn genes: promoter, exons and introns with their signals, an open reading frame, a poly-A signal.

A gene is drawn 5' to 3' as an array of base codes (0 A, 1 C, 2 G, 3 T) and placed on a contig afterwards. Offsets count
from the first base of the drawn array, which begins `UPSTREAM` bases before the transcription start.
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
ISLAND = (0.17, 0.33, 0.33, 0.17)  # base frequencies of CpG islands, drawn independently: CpG is not depleted
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
    """One gene, 5' to 3'; every span is 0-based and half-open in offsets.

    Attributes:
        codes: base codes of promoter, transcript and a little beyond, ``(bases,)``.
        exons: spans of the exons, in order.
        coding: from the start codon to the stop codon, both included.
        tata: span of the TATA matrix, or None for a promoter without one.
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
        """The gaps between the exons."""
        return tuple((left[1], right[0]) for left, right in pairwise(self.exons))


class Sampler:
    """Draws of bases from one seeded generator."""

    def __init__(self, random: np.random.Generator) -> None:
        self.random = random
        cumulative = np.cumsum(figures.background(), axis=1)
        self._thresholds: list[tuple[float, float, float]] = [(row[0], row[1], row[2]) for row in cumulative.tolist()]

    def background(self, length: int) -> Codes:
        """Bases from the order-3 chain of human DNA."""
        codes, context = bytearray(length), int(self.random.integers(64))
        for place, draw in enumerate(self.random.random(length).tolist()):
            first, second, third = self._thresholds[context]
            code = (draw >= first) + (draw >= second) + (draw >= third)
            codes[place] = code
            context = (context << 2 & 63) | code
        return np.frombuffer(bytes(codes), np.uint8).copy()

    def rows(self, weights: Float64) -> Codes:
        """One draw per row of unnormalised weights."""
        cumulative = np.cumsum(weights, axis=1)
        draws = self.random.random(len(weights)) * cumulative[:, -1]
        return np.asarray((draws[:, None] >= cumulative).sum(axis=1), np.uint8)

    def integer(self, low: int, high: int) -> int:
        """An integer from `low` to `high`, both included."""
        return int(self.random.integers(low, high + 1))

    def chance(self, probability: float) -> bool:
        """True with a probability."""
        return bool(self.random.random() < probability)


def draw_gene(sampler: Sampler) -> DraftGene:
    """Draw one gene: two of five promoters have a TATA box, three of five are CpG islands, some are both or neither."""
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
    """Print base codes as upper-case letters."""
    return _LETTERS[codes].tobytes().decode()


def codes_of(text: str) -> Codes:
    """Base codes of upper-case ACGT."""
    return np.searchsorted(_LETTERS, np.frombuffer(text.encode(), np.uint8)).astype(np.uint8)


def _draw_message(sampler: Sampler, island: bool) -> tuple[Codes, Span, list[int]]:
    """The spliced transcript, its coding span, and where introns will cut it."""
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
    """What the signals that reach into exons ask of each base of the transcript; 1 where they ask nothing."""
    weights = np.ones((length, 4))
    weights[start - 9 : start + 4] = figures.KOZAK
    for cut in cuts:
        weights[cut - 3 : cut] *= figures.DONOR[:3]
        weights[cut : cut + 2] *= figures.ACCEPTOR[-2:]
    return weights


def _draw_coding(sampler: Sampler, weights: Float64) -> Codes:
    """Codons by human usage times the signals' weights; ATG first, a stop last, none in between."""
    triples = weights.reshape(-1, 3, 4)
    joint = np.einsum("na,nb,nc,abc->nabc", triples[:, 0], triples[:, 1], triples[:, 2], _CODON_WEIGHTS)
    drawn = _draw_flat(sampler, joint.reshape(len(triples), 64))
    coding = np.stack([drawn >> 4, drawn >> 2 & 3, drawn & 3], axis=1).astype(np.uint8)
    usage = np.array([figures.CODONS[stop] for stop in _STOPS])
    stop = _STOPS[int(sampler.random.choice(3, p=usage / usage.sum()))]
    coding[0], coding[-1] = codes_of("ATG"), codes_of(stop)
    return coding.reshape(-1)


def _draw_flat(sampler: Sampler, weights: Float64) -> NDArray[np.int64]:
    cumulative = np.cumsum(weights, axis=1)
    draws = sampler.random.random(len(weights)) * cumulative[:, -1]
    return np.asarray((draws[:, None] >= cumulative).sum(axis=1), np.int64)


def _with_introns(sampler: Sampler, message: Codes, cuts: list[int]) -> list[Codes]:
    """Exon, intron, exon, ... : odd pieces are introns."""
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
    """A TATA box whose core spells TATAAA but for the last-but-one letter, which may be T: what breaks it is clear."""
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
    return tuple((int(borders[place]), int(borders[place + 1])) for place in range(0, len(pieces), 2))


def _to_offset(place: int, exons: tuple[Span, ...]) -> int:
    """From a place in the spliced transcript to an offset in the gene."""
    for start, end in exons:
        if place < end - start:
            return start + place
        place -= end - start
    raise IndexError(place)
