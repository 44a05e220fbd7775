"""Exact matches against a search by brute force, planted copies, and what is left out."""

import random

import numpy as np
import pytest

from genolm.genome.sequence import reverse_complement
from genolm.tasks.generation.novelty.exact_matches import SEED, Matcher
from genolm.tasks.generation.novelty.nearest_sequences import Comparison


def dna(length: int, seed: float) -> str:
    return "".join(random.Random(seed).choices("ACGT", k=length))


def brute(query: str, text: str) -> int:
    """Length of the longest common stretch of bases, on either strand."""
    best = 0
    for turned in (query, reverse_complement(query)):
        for i in range(len(turned)):
            while (word := turned[i : i + best + 1]) and len(word) > best and "N" not in word and word in text:
                best += 1
    return best


def best(queries: list[str], text: str, skip: list[bool] | None = None):
    return Matcher(queries).best(text, np.array(skip or [False] * len(queries)))


def test_lengths_are_those_of_a_search_by_brute_force():
    text = dna(2000, 1)
    queries = [
        dna(200, 2) + text[100:140] + dna(50, 3) + text[900:917],
        reverse_complement(text[1000:1300]),
        text[:77],
        text[-80:],
        dna(30, 4),
        "A" * 50,
        text[300:320] + "N" + text[321:340],
        dna(10, 5),
    ]
    text = text + "A" * 300 + "N" + text[50:90]
    for query, match in zip(queries, best(queries, text)):
        longest = brute(query, text)
        assert match.length == (longest if longest >= SEED else 0)
        turned = query if match.strand == "+" else reverse_complement(query)
        stretch = turned[match.query_start : match.query_start + match.length]
        assert stretch == text[match.start : match.start + match.length]


@pytest.mark.parametrize("seed", range(3))
def test_copies_with_substitutions_are_grown_to_both_sides(seed):
    source, text = random.Random(seed), dna(900, 100 + seed)
    queries = []
    for _ in range(12):
        start = source.randrange(700)
        copy = list(text[start : start + 160])
        for place in source.sample(range(160), 5):
            copy[place] = source.choice("ACGT")
        queries.append(dna(10, source.random()) + "".join(copy))
    for query, match in zip(queries, best(queries, text)):
        assert match.length == brute(query, text) >= SEED


@pytest.mark.parametrize("pairs", [1, 7, 1 << 20])
def test_repeats_are_counted_however_few_pairs_are_held(pairs, monkeypatch):
    monkeypatch.setattr("genolm.tasks.generation.novelty.exact_matches._PAIRS", pairs)
    monkeypatch.setattr("genolm.tasks.generation.novelty.exact_matches._BLOCK", 64)
    text = dna(40, 1) + "ACGTT" * 40 + dna(40, 2) + "G" * 90 + dna(40, 3)
    queries = ["T" + "ACGTT" * 30 + "C", dna(20, 9) + "G" * 70 + dna(20, 8), text]
    assert [match.length for match in best(queries, text)] == [brute(query, text) for query in queries]


def test_no_queries_and_short_texts():
    assert best([], dna(100, 1)) == []
    assert best([dna(100, 1)], "ACGT")[0].length == 0
    assert best(["ACGT"], dna(100, 1))[0].length == 0


@pytest.fixture
def genomes(tmp_path):
    one, other = dna(5000, 21), dna(5000, 22)
    (tmp_path / "one.fa").write_text(f">c1\n{one}\n")
    (tmp_path / "other.fa").write_text(f">c1\n{dna(300, 23)}\n>c2\n{other}\n")
    return tmp_path / "one.fa", tmp_path / "other.fa", one, other


def test_planted_copies_are_found_at_their_place(genomes):
    one, other, first, second = genomes
    before, after = (next(base for base in "ACGT" if base != second[place]) for place in (999, 1300))
    planted = before + second[1000:1300] + after
    queries = [
        dna(200, 24) + planted + dna(100, 25),
        reverse_complement(first[2000:2500]),
        second[50:90] + "A" + second[91:150],
        dna(400, 26),
    ]
    compared = Comparison(queries, [None] * 4)
    for path in (one, other):
        compared.add(path)
    copied, turned, changed, new = compared.nearest()
    assert (copied.length, copied.place, copied.strand) == (300, "other:c2:1000-1300", "+")
    assert copied.shared == 300 - 27 and copied.kmers == len(queries[0]) - 27
    assert (turned.length, turned.place, turned.strand) == (500, "one:c1:2000-2500", "-")
    assert turned.identity == 1.0 and turned.shared == turned.kmers == 500 - 27
    same = second[90] == "A"
    assert changed.identity == (1.0 if same else pytest.approx(0.99))
    assert (new.shared, new.length, new.place, new.identity) == (0, 0, "", None)


def test_the_file_a_sequence_was_cut_from_does_not_count(genomes):
    one, other, first, _ = genomes
    compared = Comparison([first[:400], first[:400]], [one, None])
    compared.add(one)
    assert compared.nearest()[0] is None and compared.nearest()[1].length == 400
    compared.add(other)
    assert compared.nearest()[0].length < 20 and compared.nearest()[0].shared == 0


def test_n_is_neither_shared_nor_identical(genomes):
    one, _, first, _ = genomes
    compared = Comparison([first[:100] + "N" * 100 + first[200:300]], [None])
    compared.add(one)
    nearest = compared.nearest()[0]
    assert (nearest.kmers, nearest.shared, nearest.length) == (146, 146, 100)
    assert nearest.identity == pytest.approx(2 / 3)
