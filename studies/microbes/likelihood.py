"""Markov models of the genomes in training: what a language model has to beat on species that it never saw."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pysam

from genolm.training.markov import Digits, MarkovModel
from studies.microbes.genomes import HELD_OUT, TRAINED, paths

ORDER = 10
VALIDATION = ("Aquifex aeolicus", "Mycoplasma genitalium")
_DIGITS = np.full(256, 0, np.int64)
_DIGITS[list(b"ACGT")] = range(4)


def contigs(path: Path) -> Iterator[str]:
    """Upper-case contigs of a FASTA."""
    with pysam.FastxFile(str(path)) as file:
        for record in file:
            yield (record.sequence or "").upper()


def digits(sequence: str) -> Digits:
    """Bases as 0..3 in ACGT order."""
    return _DIGITS[np.frombuffer(sequence.encode(), np.uint8)]


@cache
def model() -> MarkovModel:
    """Counts of the training species; strengths and order are chosen on the validation species."""
    train = [digits(part) for path in paths(TRAINED).values() for contig in contigs(path) for part in _known(contig)]
    validation = [
        digits(part) for name in VALIDATION for part in _known(next(contigs(paths(HELD_OUT)[name]))[:300_000])
    ]
    fitted = MarkovModel.fit(train, validation, ORDER)
    loss = {
        k: np.concatenate([fitted.truncated(k).bits(run)[ORDER - k :] for run in validation]).mean()
        for k in range(ORDER + 1)
    }
    return fitted.truncated(min(loss, key=lambda k: loss[k]))


def markov_bits(pieces: list[str]) -> dict[str, float]:
    """Bits per base of pieces, each read from its beginning, and the order of the model."""
    chosen = model()
    bits = np.concatenate([chosen.bits(digits(piece)) for piece in pieces])
    return {"order": chosen.order, "bits_per_base": float(bits.mean())}


def _known(sequence: str) -> list[str]:
    """Stretches of A, C, G and T alone."""
    letters = (
        "".join(letter if letter in "ACGT" else " " for letter in sequence) if set(sequence) - set("ACGT") else sequence
    )
    return [part for part in letters.split() if len(part) > ORDER]
