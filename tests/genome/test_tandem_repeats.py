"""Planted repeats are found base for base; nothing else is; a regular expression agrees."""

import random
import re

import pytest

from genolm.genome.tandem_repeats import LONGEST_UNIT, Repeat, repeated_bases, tandem_repeats


def dna(length: int, seed: int) -> str:
    return "".join(random.Random(seed).choices("ACGT", k=length))


def by_expression(sequence: str) -> set[int]:
    """Bases of every three copies in a row, by a search that knows nothing of ours."""
    inside: set[int] = set()
    for period in range(1, LONGEST_UNIT + 1):
        for match in re.finditer(rf"(?=(([ACGT]{{{period}}})\2\2))", sequence):
            inside.update(range(match.start(), match.start() + 3 * period))
    return inside


@pytest.mark.parametrize("seed", range(4))
def test_the_bases_in_repeats_are_those_of_a_regular_expression(seed):
    unit = dna(random.Random(seed).randint(2, 60), seed + 10)
    sequence = dna(150, seed) + unit * 4 + unit[: len(unit) // 2] + "NNN" + dna(60, seed + 50) + "A" * 9 + dna(30, 99)
    inside: set[int] = set()
    for repeat in tandem_repeats(sequence):
        inside.update(range(repeat.start, repeat.end))
    assert inside == by_expression(sequence)
    assert repeated_bases(sequence)[0] == len(inside)


def test_planted_arrays_are_found_exactly():
    sequence = "ACGTCC" + "GATTACA" * 5 + "TGCATG"
    long = [repeat for repeat in tandem_repeats(sequence) if repeat.end - repeat.start >= 20]
    assert long == [Repeat(6, 6 + 35, 7)]
    assert repeated_bases(sequence) == (35, 35)


@pytest.mark.parametrize(
    ("sequence", "found"),
    [
        ("ACACAC", [Repeat(0, 6, 2)]),
        ("ACACA", []),
        ("TAAAT", [Repeat(1, 4, 1)]),
        ("AAAAAA", [Repeat(0, 6, 1)]),
        ("NNNNNN", []),
        ("", []),
        ("ACGTACGGACGT", []),
    ],
)
def test_three_copies_make_a_repeat(sequence, found):
    assert tandem_repeats(sequence) == found


@pytest.mark.parametrize(("period", "found"), [(100, 300), (101, 0)])
def test_units_have_at_most_a_hundred_bases(period, found):
    unit = dna(period, 7)
    assert repeated_bases(unit * 3)[1] == found
