"""Perfect tandem repeats: a unit of 1 to 100 bases that stands at least three times in a row."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from genolm.genome.kmers import letters
from genolm.genome.spans import true_runs

LONGEST_UNIT = 100
COPIES = 3
LONG = 20
"""Bases from which on an array is counted as long: three equal letters in a row are found in any sequence."""

_N = ord("N")


class Repeat(NamedTuple):
    """A maximal array of copies; whole copies and the part of one that may follow.

    Attributes:
        start: first base, 0-based.
        end: base after the last.
        period: bases of the unit, the shortest that explains the array.
    """

    start: int
    end: int
    period: int


def tandem_repeats(sequence: str) -> list[Repeat]:
    """All maximal arrays of a sequence by their start; those of a multiple of a shorter period are left out.

    Args:
        sequence: upper-case letters; N repeats nothing.
    """
    text = letters(sequence)
    found: list[Repeat] = []
    for period in range(1, min(LONGEST_UNIT, len(text) // COPIES) + 1):
        same = (text[:-period] == text[period:]) & (text[period:] != _N)
        runs = true_runs(same)
        for start, end in runs[runs[:, 1] - runs[:, 0] >= (COPIES - 1) * period].tolist():
            if not any(period % one.period == 0 and one.start <= start and end + period <= one.end for one in found):
                found.append(Repeat(start, end + period, period))
    return sorted(found)


def repeated_bases(sequence: str) -> tuple[int, int]:
    """How many bases lie in arrays, and how many in arrays of at least 20 bases; each base counts once."""
    inside = np.zeros((2, len(sequence)), bool)
    for start, end, _ in tandem_repeats(sequence):
        inside[0, start:end] = True
        if end - start >= LONG:
            inside[1, start:end] = True
    every, long = inside.sum(1)
    return int(every), int(long)
