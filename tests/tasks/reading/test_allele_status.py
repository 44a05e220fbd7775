"""Statuses of ALT alleles, and errors for records that do not match the genome."""

import pytest

from genolm import Genome, Variant
from genolm.errors import InputError
from genolm.genome.vcf.vcf_records import VariantRecord
from genolm.tasks.reading.allele_status import Call, Rules


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    path = tmp_path_factory.mktemp("genome") / "g.fa"
    path.write_text(">chr1\nAACCGGTTNACGT\n")
    return Genome(path)


def record(pos, ref, *alts, chrom="chr1"):
    return VariantRecord(0, 17, chrom, pos, ".", ref, alts)


def calls(genome, asked, on_mismatch="raise", *, snv_only=False, horizon=5):
    return Rules(snv_only, horizon, on_mismatch).calls(asked, genome, "in.vcf")


def test_alternatives_are_judged_one_by_one(genome):
    found = calls(genome, record(3, "C", "T", "*", "<DEL>", "CAAAAA", "CAAAAAA", "C", "CN", "C[chr1:4["))
    assert [call.status for call in found] == [
        "scored", "star", "symbolic", "scored", "longer_than_horizon", "same_as_ref", "non_acgt", "breakend",
    ]  # fmt: skip
    assert found[0].variant == Variant("chr1", 3, "C", "T")
    assert all((call.variant is None) == (call.status != "scored") for call in found)


def test_snv_only_looks_at_what_differs(genome):
    found = calls(genome, record(3, "CC", "CT", "TT", "C"), snv_only=True)
    assert [call.status for call in found] == ["scored", "not_snv", "not_snv"]


def test_contigs_take_the_name_of_the_genome_and_case_does_not_matter(genome):
    assert calls(genome, record(3, "c", "t", chrom="1")) == (Call("scored", Variant("chr1", 3, "C", "T")),)


def test_records_without_anything_to_score_are_not_compared_with_the_genome(genome):
    assert calls(genome, record(3, "G", ".", chrom="chrUn")) == (Call("missing"),)
    assert calls(genome, record(0, "N", "<DEL>"))[0].status == "symbolic"


MISFITS = [
    (record(3, "A", "T"), "ref_mismatch", r"in\.vcf:17: REF is A, but the genome has C \(value 'chr1:3:A>T'\); check"),
    (record(9, "A", "T", "G"), "ref_mismatch", r"but the genome has N .*'chr1:9:A>T,G'.*on_mismatch='skip'"),
    (
        record(13, "TA", "T"),
        "off_contig",
        r"in\.vcf:17: REF of chr1:13 extends beyond the end of .*\(13 bases\)",
    ),
    (record(14, "T", "A"), "off_contig", r"chr1:14 is beyond the end"),
    (
        record(3, "C", "T", chrom="chr9"),
        "unknown_contig",
        r"in\.vcf:17: no such contig; the genome has chr1 \(value 'chr9'\); check",
    ),
]


@pytest.mark.parametrize(("asked", "status", "message"), MISFITS)
def test_a_record_that_does_not_fit_is_an_error_that_says_where(genome, asked, status, message):
    with pytest.raises(InputError, match=message):
        calls(genome, asked)


@pytest.mark.parametrize(("asked", "status", "message"), MISFITS)
@pytest.mark.parametrize("policy", ["skip", "flip"])
def test_or_is_left_out_with_a_status(genome, asked, status, message, policy):
    assert calls(genome, asked, policy) == (Call(status),) * len(asked.alts)


def test_flip_takes_the_other_strand_where_that_fits(genome):
    assert calls(genome, record(3, "G", "A"), "flip") == (Call("flipped", Variant("chr1", 3, "C", "T")),)
    assert calls(genome, record(2, "GT", "G", "*"), "flip") == (
        Call("flipped", Variant("chr1", 2, "AC", "C")),
        Call("star"),
    )
    assert calls(genome, record(3, "C", "T"), "flip")[0].status == "scored"
    assert calls(genome, record(3, "G", "A"), "skip") == (Call("ref_mismatch"),)


def test_an_unknown_policy_is_refused():
    with pytest.raises(InputError, match=r"on_mismatch must be raise, skip or flip \(value 'swap'\)"):
        Rules(False, 5, "swap")


def test_long_alleles_are_shortened_in_messages(tmp_path):
    path = tmp_path / "long.fa"
    path.write_text(f">chr1\n{'GT' * 40}\n")
    with pytest.raises(InputError, match=r"REF is ACACACACACACACACACAC…, but the genome has GTGTGTGTGTGTGTGTGTGT…"):
        calls(Genome(path), record(1, "AC" * 20, "A"))
