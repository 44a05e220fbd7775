import pickle

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from genolm.errors import InputError
from genolm.genome.variant import Variant


class TextGenome:
    """A genome of one contig out of a text; N off its ends."""

    def __init__(self, bases: str):
        self.bases = bases

    def fetch(self, chrom: str, start: int, end: int) -> str:
        if end <= 0 or start >= len(self.bases):
            raise InputError("off the contig")
        return "".join(self.bases[i] if 0 <= i < len(self.bases) else "N" for i in range(start, end))


def apply(bases: str, variant: Variant) -> str:
    start = variant.pos - 1
    assert bases[start : start + len(variant.ref)] == variant.ref
    return bases[:start] + variant.alt + bases[start + len(variant.ref) :]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("chr22:1024:A>C", "chr22:1024:A>C"),
        ("22-1024-A-C", "22:1024:A>C"),
        ("22_1024_A_C", "22:1024:A>C"),
        ("chr22_1024_A_C_b38", "chr22:1024:A>C"),
        ("chr22:1,024:a>ct", "chr22:1024:A>CT"),
        ("chr22:1024:A:C", "chr22:1024:A>C"),
        ("22-1024-AT-C-GRCh38", "22:1024:AT>C"),
        (" chr1_KI270706v1_random_12_A_T_b38 ", "chr1_KI270706v1_random:12:A>T"),
        ("HLA-A*01:01:01:02:24:A>C", "HLA-A*01:01:01:02:24:A>C"),
    ],
)
def test_spellings(text, expected):
    assert str(Variant.parse(text)) == expected
    assert Variant.parse(expected) == Variant.parse(text)


@pytest.mark.parametrize(
    "text", ["", "chr1:10", "chr1:10:A", "chr1:A>C", "chr1:10:A>", "chr1-10_A-C", "rs123", "1:2:<DEL>"]
)
def test_other_texts_are_refused(text):
    with pytest.raises(InputError, match="invalid variant: expected chr22:1024:A>C"):
        Variant.parse(text)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("", 1, "A", "C"), "one word"),
        (("c", 0, "A", "C"), r"the position of a variant must be at least 1 \(1-based\)"),
        (("c", 1.0, "A", "C"), "pos must be a whole number"),
        (("c", 1, "", "C"), "REF of a variant must consist of A, C, G and T"),
        (("c", 1, "A", "<DEL>"), r"ALT of a variant .*\(value '<DEL>'\)"),
        (("c", 1, "N", "A"), "REF of a variant"),
        (("c", 1, "A", None), "ALT of a variant"),
        (("c", 1, "A", "a"), r"REF and ALT are equal \(value 'c:1:A>A'\)"),
    ],
)
def test_validation(arguments, message):
    with pytest.raises(InputError, match=message):
        Variant(*arguments)


def test_is_a_value():
    variant = Variant("c", 7, "acg", "t")
    assert (variant.ref, variant.alt) == ("ACG", "T")
    assert pickle.loads(pickle.dumps(variant)) == variant and hash(variant) == hash(Variant("c", 7, "ACG", "T"))
    assert (variant.interval.start, variant.interval.end, variant.interval.strand) == (6, 9, "+")


@pytest.mark.parametrize(
    ("ref", "alt", "kind", "trimmed"),
    [
        ("A", "C", "snv", "c:10:A>C"),
        ("CAT", "CGT", "snv", "c:11:A>G"),
        ("AC", "GT", "mnv", "c:10:AC>GT"),
        ("A", "AT", "insertion", "c:10:A>AT"),
        ("CA", "CTA", "insertion", "c:10:C>CT"),
        ("ATT", "AT", "deletion", "c:10:AT>A"),
        ("GCAT", "GT", "deletion", "c:10:GCA>G"),
        ("AC", "GTT", "complex", "c:10:AC>GTT"),
        ("TAC", "TGTT", "complex", "c:11:AC>GTT"),
    ],
)
def test_kind_and_trimming(ref, alt, kind, trimmed):
    variant = Variant("c", 10, ref, alt)
    assert variant.kind == kind == variant.trimmed().kind
    assert str(variant.trimmed()) == trimmed


@pytest.mark.parametrize(
    ("bases", "variant", "expected"),
    [
        ("GGGCACACACAGGG", "c:8:CAC>C", "c:3:GCA>G"),
        ("GGGCACACACAGGG", "c:8:CA>C", "c:8:CA>C"),
        ("GGGCACACACAGGG", "c:11:A>ACA", "c:3:G>GCA"),
        ("TAAAAAT", "c:6:A>AA", "c:1:T>TA"),
        ("AAAAAT", "c:4:AA>A", "c:1:AA>A"),
        ("NNAAAT", "c:4:AA>A", "c:3:AA>A"),
        ("GATTACA", "c:2:ATT>ACT", "c:3:T>C"),
        ("C" + "AG" * 700 + "T", "c:1399:GAG>G", "c:1:CAG>C"),
    ],
)
def test_left_alignment(bases, variant, expected):
    assert str(Variant.parse(variant).left_aligned(TextGenome(bases))) == expected


@given(st.data())
def test_left_alignment_keeps_the_haplotype_and_is_one_form(data):
    bases = data.draw(st.text("AC", min_size=4, max_size=30))
    start = data.draw(st.integers(0, len(bases) - 2))
    ref = bases[start : start + data.draw(st.integers(1, 6))]
    alt = data.draw(st.text("AC", min_size=1, max_size=6))
    assume(ref != alt)
    genome, variant = TextGenome(bases), Variant("c", start + 1, ref, alt)
    aligned = variant.left_aligned(genome)
    assert apply(bases, aligned) == apply(bases, variant)
    assert aligned == aligned.left_aligned(genome) and aligned.pos <= variant.trimmed().pos
    assert apply(bases, variant.trimmed()) == apply(bases, variant)


def test_an_indel_in_a_repeat_has_one_form_wherever_it_is_written():
    genome = TextGenome("GATTTTTTTC")
    forms = {Variant("c", pos, "TT", "T").left_aligned(genome) for pos in range(3, 9)}
    assert forms == {Variant("c", 2, "AT", "A")}


def test_check_against_the_genome():
    Variant("c", 3, "T", "G").check(TextGenome("GATTACA"))
    with pytest.raises(
        InputError, match=r"REF does not match the reference, which has T; .*build\? \(value 'c:3:A>G'\)"
    ):
        Variant("c", 3, "A", "G").check(TextGenome("GATTACA"))
    with pytest.raises(
        InputError, match=r"REF does not match the reference, which has CAN; is it another genome build\?"
    ):
        Variant("c", 6, "CAT", "G").check(TextGenome("GATTACA"))
    with pytest.raises(
        InputError, match=r"REF does not match the reference, which has T; is it another genome build\?"
    ):
        Variant("c", 3, "A", "G").left_aligned(TextGenome("GATTACA"))


def test_flipped_and_swapped():
    assert str(Variant("c", 5, "AC", "G").flipped()) == "c:5:GT>C"
    assert str(Variant("c", 5, "AC", "G").swapped()) == "c:5:G>AC"
