import pytest
from hypothesis import given
from hypothesis import strategies as st

from genolm.errors import InputError
from genolm.genome.sequence import AMBIGUITY, LetterError, reverse_complement, upper_dna

iupac_texts = st.text("ACGTRYSWKMBDHVNacgtryswkmbdhvn", max_size=200)


@pytest.mark.parametrize(
    ("sequence", "expected"),
    [("", ""), ("AACGT", "ACGTT"), ("aNcG", "CgNt"), ("RYSWKMBDHVN", "NBDHVKMWSRY"), ("AUG", "CAT")],
)
def test_reverse_complement(sequence, expected):
    assert reverse_complement(sequence) == expected


@given(iupac_texts)
def test_reverse_complement_twice_is_nothing(sequence):
    assert reverse_complement(reverse_complement(sequence)) == sequence


def test_complement_means_the_complementary_bases():
    for letter, bases in AMBIGUITY.items():
        complement = reverse_complement(letter)
        assert set(AMBIGUITY[complement]) == set(reverse_complement(bases)), letter


@pytest.mark.parametrize("sequence", ["AC-GT", "AC GT", "AC\n", "ACX", "AC1", "ACé"])
@pytest.mark.parametrize("read", [reverse_complement, upper_dna])
def test_letters_that_are_no_bases(read, sequence):
    with pytest.raises(LetterError, match="not a base at position 3 of the sequence") as caught:
        read(sequence)
    assert (caught.value.letter, caught.value.position) == (sequence[2], 2)
    assert isinstance(caught.value, InputError)


def test_upper_dna_policies():
    assert upper_dna("acgtnACGTN") == "ACGTNACGTN"
    assert upper_dna("aRyn", iupac="N") == "ANNN"
    assert upper_dna("aRyn", iupac="keep") == "ARYN"
    with pytest.raises(
        LetterError, match=r"ambiguity code at position 2 .*\(value 'R'\); pass iupac='N' to read it as N"
    ):
        upper_dna("aRyn")


@pytest.mark.parametrize("iupac", ["raise", "N", "sample", "keep"])
def test_no_policy_lets_a_foreign_letter_through(iupac):
    with pytest.raises(LetterError, match="position 4"):
        upper_dna("ACRE" if iupac != "raise" else "ACGE", iupac=iupac)


def test_rna():
    assert upper_dna("augU", rna=True) == "ATGT"
    with pytest.raises(LetterError, match="write T for U"):
        upper_dna("AUG")


@given(iupac_texts, st.integers(0, 100))
def test_sampled_bases_are_those_the_letter_stands_for(sequence, seed):
    sampled = upper_dna(sequence, iupac="sample", seed=seed)
    assert sampled == upper_dna(sequence, iupac="sample", seed=seed)
    assert len(sampled) == len(sequence)
    for letter, base in zip(sequence.upper(), sampled):
        assert base in AMBIGUITY.get(letter, letter)


def test_every_base_is_drawn_about_equally_and_the_seed_matters():
    sampled = upper_dna("B" * 30_000, iupac="sample", seed=1)
    assert all(abs(sampled.count(base) - 10_000) < 500 for base in "CGT")
    assert sampled != upper_dna("B" * 30_000, iupac="sample", seed=2)


def test_another_policy_is_refused_before_an_ambiguous_letter_is_met():
    with pytest.raises(InputError, match=r"iupac must be one of raise, N, sample, keep \(value 'typo'\)"):
        upper_dna("ACGT", iupac="typo")
