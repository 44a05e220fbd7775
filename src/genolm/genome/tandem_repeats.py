"""Perfect tandem repeats: at least three consecutive copies of a unit of 1 to 100 bases."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from genolm.genome.kmers import letters
from genolm.genome.spans import true_runs

LONGEST_UNIT = 100
COPIES = 3
LONG = 20
"""Minimum length of a long array in bases; shorter ones, such as three equal letters, occur in any sequence."""

_N = ord("N")


class Repeat(NamedTuple):
    """A maximal array of copies, including a partial copy at the end.

    Attributes:
        start: first base, 0-based.
        end: base after the last.
        period: length of the shortest possible unit in bases.
    """

    start: int
    end: int
    period: int


def tandem_repeats(sequence: str) -> list[Repeat]:
    """Return all maximal arrays of a sequence, sorted by start, without those of a multiple of a shorter period.

    Args:
        sequence: upper-case letters; N is never repeated.
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
    """Return the number of bases in arrays, and in arrays of at least 20 bases; each base counts once."""
    inside = np.zeros((2, len(sequence)), bool)
    for start, end, _ in tandem_repeats(sequence):
        inside[0, start:end] = True
        if end - start >= LONG:
            inside[1, start:end] = True
    every, long = inside.sum(1)
    return int(every), int(long)
