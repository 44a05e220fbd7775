"""Variants on a strand: trimmed alleles, and suffixes of equal length."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genolm import Genome, Variant
from genolm.genome.sequence import reverse_complement
from genolm.tasks.reading.allele_strands import Edit, Site, Strand

CONTIG = "".join(random.Random(4).choices("ACGT", k=60)) + "NNN" + "CAAAAT"


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    path = tmp_path_factory.mktemp("genome") / "g.fa"
    path.write_text(f">c\n{CONTIG}\n")
    return Genome(path)


@pytest.mark.parametrize(
    ("variant", "reverse", "expected"),
    [
        ("c:65:A>T", False, Edit(64, "A", "T")),
        ("c:65:A>T", True, Edit(4, "T", "A")),
        ("c:64:CA>C", False, Edit(64, "A", "")),  # after the anchor base
        ("c:64:CA>C", True, Edit(4, "T", "")),
        ("c:65:AA>A", False, Edit(65, "A", "")),  # in a repeat each strand reads as far as the alleles agree
        ("c:65:AA>A", True, Edit(4, "T", "")),
        ("c:64:C>CGG", False, Edit(64, "", "GG")),
        ("c:64:C>CGG", True, Edit(5, "", "CC")),
        ("c:64:CAA>CGA", False, Edit(64, "A", "G")),
        ("c:64:CAA>CGA", True, Edit(4, "T", "C")),
        ("c:1:A>C", True, Edit(68, "T", "G")),
    ],
)
def test_edits_lose_what_the_alleles_share(genome, variant, reverse, expected):
    assert Strand(genome, "c", reverse).edit(Variant.parse(variant)) == expected


def test_only_one_base_for_one_is_an_snv():
    assert Edit(3, "A", "C").is_snv
    assert not any(edit.is_snv for edit in (Edit(3, "AC", "CA"), Edit(3, "", "C"), Edit(3, "A", "")))


def test_a_strand_reads_from_its_own_beginning_and_stops_at_the_end(genome):
    assert Strand(genome, "c").fetch(58, 66) == CONTIG[58:66]
    assert Strand(genome, "c").fetch(66, 99) == CONTIG[66:]
    assert Strand(genome, "c", True).fetch(0, 5) == "ATTTT"
    assert Strand(genome, "c", True).fetch(60, 99) == reverse_complement(CONTIG)[60:]
    assert Strand(genome, "c").fetch(69, 80) == ""


@pytest.mark.parametrize(
    ("edit", "horizon", "expected"),
    [
        (Edit(10, CONTIG[10], "T"), 5, Site(10, "T" + CONTIG[11:15])),
        (Edit(10, "", "TTT"), 5, Site(10, "TTT" + CONTIG[10:12])),
        (Edit(10, CONTIG[10:13], ""), 5, Site(10, CONTIG[13:18])),
        (Edit(66, "A", ""), 5, Site(66, "AT")),  # three bases are left of the reference, two of the alternative
        (Edit(66, "", "GG"), 9, Site(66, "GGA")),  # and here three of the reference are compared with three
        (Edit(69, "", "GG"), 9, "contig_end"),
        (Edit(68, "T", ""), 9, "contig_end"),
        (Edit(0, "A", "C"), 9, "no_context"),
    ],
)
def test_suffixes_are_cut_to_what_both_alleles_have(genome, edit, horizon, expected):
    assert Strand(genome, "c").site(edit, horizon) == expected


@given(
    start=st.integers(0, 68),
    deleted=st.integers(1, 4),
    alt=st.text("ACGT", min_size=1, max_size=5),
    reverse=st.booleans(),
)
def test_an_edit_makes_the_alternative_haplotype(genome, start, deleted, alt, reverse):
    ref = CONTIG[start : start + deleted]
    if "N" in ref or ref == alt:
        return
    strand = Strand(genome, "c", reverse)
    edit = strand.edit(Variant("c", start + 1, ref, alt))
    expected = CONTIG[:start] + alt + CONTIG[start + len(ref) :]
    own = strand.fetch(0, 99)
    assert own[edit.start :].startswith(edit.ref)
    changed = own[: edit.start] + edit.alt + own[edit.start + len(edit.ref) :]
    assert changed == (reverse_complement(expected) if reverse else expected)
    site = strand.site(edit, 12)
    if isinstance(site, Site):
        assert changed[edit.start :].startswith(site.suffix)
        assert len(site.suffix) == min(12, len(own) - edit.start, len(changed) - edit.start)
