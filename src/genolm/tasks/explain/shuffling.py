"""Sequences with the same dinucleotides in another order (Altschul and Erickson 1985)."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import numpy as np


def shuffled_dinucleotides(sequence: str, seed: int) -> str:
    """A random sequence with exactly the dinucleotide counts, and so the first and last letter, of the given one.

    A sequence is a walk over its letters. Of each letter but the last one visited, one departure is chosen to be the
    last, so that these lead to the walk's end from everywhere; all other departures are shuffled, and the new walk
    takes them in turn.
    """
    if len(sequence) < 3:
        return sequence
    random = np.random.default_rng(seed)
    departures: dict[str, list[str]] = defaultdict(list)
    for one, other in pairwise(sequence):
        departures[one].append(other)
    last = _last_departures(departures, sequence[-1], random)
    for letter, others in departures.items():
        if letter in last:
            others.remove(last[letter])
        departures[letter] = [others[place] for place in random.permutation(len(others))]
        if letter in last:
            departures[letter].append(last[letter])
    walk = [sequence[0]]
    taken: dict[str, int] = defaultdict(int)
    for _ in range(len(sequence) - 1):
        here = walk[-1]
        walk.append(departures[here][taken[here]])
        taken[here] += 1
    return "".join(walk)


def _last_departures(departures: dict[str, list[str]], end: str, random: np.random.Generator) -> dict[str, str]:
    """For each letter but the end a departure, drawn until all of them lead there."""
    while True:
        last = {letter: others[random.integers(len(others))] for letter, others in departures.items() if letter != end}
        if all(_leads(letter, end, last) for letter in last):
            return last


def _leads(letter: str, end: str, last: dict[str, str]) -> bool:
    for _ in range(len(last)):
        letter = last[letter]
        if letter == end:
            return True
    return False
