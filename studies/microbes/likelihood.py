"""Markov models of the training genomes: the baseline for likelihoods of held-out species.

    GENOLM_DATA=folder python -m studies.microbes.likelihood

recomputes the likelihoods of the Markov models, which needs no trained model, and updates results.json.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pysam
from benchmarks.record import machine

from genolm.genome import reverse_complement
from genolm.statistics.markov import STRENGTHS, Digits, MarkovModel
from genolm.tokens.nucleotide import NucleotideTokenizer
from studies.microbes.genomes import HELD_OUT, check_split, corpus, paths, trained_bases

RESULTS = Path(__file__).parent / "results.json"
ORDER = 12
WIDER_STRENGTHS = (*STRENGTHS, 3e3, 1e4, 3e4, 1e5)
"""Smoothing strengths to try; distant species need more weight on lower orders than one genome does."""
VALIDATION = ("Aquifex aeolicus", "Mycoplasma genitalium")
PIECES, LENGTH = 40, 5000
SEED = 0
_DIGITS = np.full(256, 0, np.int64)
_DIGITS[list(b"ACGT")] = range(4)


def contigs(path: Path) -> Iterator[str]:
    """Return the contigs of a FASTA in upper case."""
    with pysam.FastxFile(str(path)) as file:
        for record in file:
            yield (record.sequence or "").upper()


def pieces(path: Path, length: int, count: int) -> list[str]:
    """Return random pieces of a genome without N; every second one is from the reverse strand."""
    long = [contig for contig in contigs(path) if len(contig) >= length]
    random = np.random.default_rng(SEED)
    weights = np.array([len(contig) - length + 1 for contig in long], float)
    found: list[str] = []
    while len(found) < count:
        contig = long[random.choice(len(long), p=weights / weights.sum())]
        start = int(random.integers(len(contig) - length + 1))
        piece = contig[start : start + length]
        if set(piece) <= set("ACGT"):
            found.append(reverse_complement(piece) if len(found) % 2 else piece)
    return found


def digits(sequence: str) -> Digits:
    """Return bases as 0..3 in ACGT order."""
    return _DIGITS[np.frombuffer(sequence.encode(), np.uint8)]


@cache
def model() -> MarkovModel:
    """Return a Markov model counted on the training bases; strengths and order are chosen on the validation species."""
    digit_of = np.zeros(256, np.int64)
    digit_of[list(NucleotideTokenizer(iupac="N").base_ids)] = range(4)
    train = [digit_of[run.ids] for run in corpus().splits["train"]]
    validation = [
        digits(part) for name in VALIDATION for part in _known(next(contigs(paths(HELD_OUT)[name]))[:300_000])
    ]
    fitted = MarkovModel.fit(train, validation, ORDER, WIDER_STRENGTHS)
    loss = {
        k: np.concatenate([fitted.truncated(k).bits(run)[ORDER - k :] for run in validation]).mean()
        for k in range(ORDER + 1)
    }
    return fitted.truncated(min(loss, key=lambda k: loss[k]))


def markov(_: object = None) -> dict[str, Any]:
    """Return order, strengths and training bases of the Markov model, and bits per base of each held-out species."""
    chosen = model()
    bits = {species: _bits(pieces(path, LENGTH, PIECES)) for species, path in paths(HELD_OUT).items()}
    trained = corpus().bases("train")
    return {"order": chosen.order, "strengths": chosen.strengths, "training_bases": trained, "bits_per_base": bits}


def _bits(drawn: list[str]) -> float:
    """Return bits per base of pieces, each from the first base with a full context on."""
    return float(np.concatenate([model().bits(digits(piece)) for piece in drawn]).mean())


def _known(sequence: str) -> list[str]:
    """Return the stretches that consist of A, C, G and T."""
    letters = (
        "".join(letter if letter in "ACGT" else " " for letter in sequence) if set(sequence) - set("ACGT") else sequence
    )
    return [part for part in letters.split() if len(part) > ORDER]


def main() -> None:
    """Run the command line."""
    check_split(trained_bases(corpus()))
    told = json.loads(RESULTS.read_text("utf-8"))
    told["parts"]["markov"], told["machines"]["markov"] = markov(), machine()
    RESULTS.write_text(json.dumps(told, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
