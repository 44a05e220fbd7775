"""K-mers as numbers, against plain strings."""

import random
from itertools import product

import numpy as np
import pytest

from genolm.genome.kmers import (
    KmerSet,
    canonical_kmers,
    letters,
    sampled_kmers,
    spectrum,
    stranded_kmers,
    word_counts,
)
from genolm.genome.sequence import reverse_complement


def dna(length: int, seed: int) -> str:
    return "".join(random.Random(seed).choices("ACGT", k=length))


def words(sequence: str, k: int) -> list[str]:
    return [sequence[i : i + k] for i in range(len(sequence) - k + 1)]


@pytest.mark.parametrize("k", [1, 2, 3, 7, 16, 21, 28, 31])
def test_a_set_equals_a_set_of_strings_of_both_strands(k):
    known = dna(300, 1)
    query = dna(60, 2) + known[40:100] + "N" + reverse_complement(known[150:210])
    both = set(words(known, k)) | set(words(reverse_complement(known), k))
    found = KmerSet([letters(known)], k=k).share(letters(query))
    assert found.tolist() == [word in both for word in words(query, k)]
    assert found.any()


@pytest.mark.parametrize(("k", "count"), [(1, 2), (2, 10), (3, 32), (4, 136), (5, 512)])
def test_a_spectrum_counts_both_strands_as_one(k, count):
    sequence = dna(200, 3) + "NN" + dna(50, 4)
    names = canonical_kmers(k)
    folded = [min(word, reverse_complement(word)) for word in words(sequence, k) if "N" not in word]
    assert len(names) == count
    assert spectrum(sequence, k).tolist() == [folded.count(name) for name in names]
    assert spectrum(reverse_complement(sequence), k).tolist() == spectrum(sequence, k).tolist()


def test_a_spectrum_of_too_little_is_empty():
    assert spectrum("ACG", 4).sum() == 0
    assert spectrum("NNNNNN", 4).sum() == 0


def test_stranded_kmers_are_read_as_they_stand():
    codes, whole = stranded_kmers(letters("AACGTN"), 2)
    assert codes[whole].tolist() == [0, 1, 6, 11]
    assert whole.tolist() == [True, True, True, True, False]


def test_a_sample_is_the_same_share_of_the_same_kmers_everywhere():
    one, other = dna(40_000, 5), dna(40_000, 6)
    joined = one[:20_000] + other
    sample = sampled_kmers(letters(one), 20)
    assert len(sample) == pytest.approx(40_000 / 20, rel=0.1)
    shared = np.isin(sample, sampled_kmers(letters(reverse_complement(joined)), 20)).mean()
    assert shared == pytest.approx(0.5, abs=0.05)
    assert set(sample.tolist()) <= set(sampled_kmers(letters(one), 1).tolist())


@pytest.mark.parametrize("k", [1, 2, 5])
def test_words_are_counted_as_one_strand_or_both_read(k):
    text = dna(300, 8) + "N" + dna(200, 9)
    words = ["".join(word) for word in product("ACGT", repeat=k)]
    own, turned = (
        [sum(one[place : place + k] == word for place in range(len(one))) for word in words]
        for one in (text, reverse_complement(text))
    )
    assert word_counts(text, k, both_strands=False).tolist() == own
    assert word_counts(text, k, both_strands=True).tolist() == (np.array(own) + turned).tolist()
