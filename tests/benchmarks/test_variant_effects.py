"""The benchmark of variants of known effect: what its baselines and intervals mean."""

import numpy as np
import polars as pl
import pysam
import pytest
from benchmarks.variant_baselines import GeneMap, cpg_transition, frameshift, length_change, markov, transversion
from benchmarks.variant_statistics import compare

import genolm
from benchmarks import variant_effects
from genolm.genome.annotation.genes import Transcript, write_gtf
from genolm.genome.interval import Interval
from genolm.statistics.markov import MarkovModel

BASES = "TTACGTTAAC" * 40


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    path = tmp_path_factory.mktemp("genome") / "genome.fa"
    path.write_text(f">chr1\n{BASES}\n")
    with genolm.Genome(path) as opened:
        yield opened


def variant(pos, alt, ref=None):
    return genolm.Variant("chr1", pos, ref or BASES[pos - 1], alt)


def test_c_to_t_in_cpg_is_found_on_both_strands(genome):
    c, g, other = variant(4, "T"), variant(5, "A"), variant(10, "T")
    assert BASES[3:5] == "CG" and BASES[9:11] == "CT"
    assert cpg_transition(genome, [c, g, other, variant(4, "A")]).tolist() == [1, 1, 0, 0]


def test_changes_of_base_and_of_length():
    assert transversion([variant(4, "T"), variant(4, "A")]).tolist() == [0, 1]
    indels = [variant(4, "CTTT"), variant(4, "CT"), variant(4, "C", BASES[3:8])]
    assert length_change(indels).tolist() == [3, 1, 4]
    assert frameshift(indels).tolist() == [0, 1, 1]


@pytest.mark.parametrize("strand", ["+", "-"])
def test_regions_rise_from_outside_to_splice_sites(tmp_path, strand):
    exons = (Interval("chr1", 50, 100, strand), Interval("chr1", 200, 260, strand))
    gene = Transcript("t1", "g1", exons, Interval("chr1", 80, 240, strand), "GENE")
    genes = GeneMap(write_gtf(tmp_path / "genes.gtf", [gene]), {"chr1": len(BASES)})
    at = {10: 0, 60: 2, 90: 3, 101: 4, 102: 4, 103: 1, 198: 1, 199: 4, 200: 4, 201: 3, 250: 2, 300: 0}
    found = {pos: genes.region(variant(pos, "A" if BASES[pos - 1] != "A" else "C")) for pos in at}
    assert found == at
    assert genes.region(variant(97, BASES[96], BASES[96:105])) == 4, "a deletion over the splice site"
    assert genes.region(variant(100, BASES[99] + "T")) == 4, "an insertion between exon and splice site"
    assert [genes.locus(variant(pos, "A" if BASES[pos - 1] != "A" else "C")) for pos in (90, 300)] == ["g1", "chr1:0"]


def test_a_markov_model_holds_unseen_words_to_be_damaging(genome):
    digits = np.array(["ACGT".index(base) for base in BASES])
    chain = MarkovModel.fit([digits], [digits], 4)
    breaks, keeps = variant(205, "C"), variant(204, "G")
    values = markov(chain, genome, [breaks, keeps, variant(205, BASES[204] + BASES[205:215])], 64)
    assert values[0] > 1 and values[1] > 1 and abs(values[2]) < 0.1, "a whole unit more is as likely"
    assert np.isnan(markov(chain, genome, [variant(2, "A")], 1)).all(), "no context of four bases"


def test_markov_scores_together_are_those_one_by_one(genome):
    digits = np.array(["ACGT".index(base) for base in BASES])
    chain = MarkovModel.fit([digits], [digits], 3)
    variants = [
        variant(205, "C"),
        variant(2, "A"),
        variant(300, BASES[299] + "GG"),
        variant(301, BASES[300], BASES[300:304]),
    ]
    together = markov(chain, genome, variants, 50)
    assert together == pytest.approx([markov(chain, genome, [one], 50)[0] for one in variants], nan_ok=True)
    assert np.isnan(together).tolist() == [False, True, False, False]


def test_areas_differences_and_what_is_missing():
    positive = np.arange(40) < 20
    right, wrong = positive.astype(float), 1.0 - positive
    some = np.where(np.arange(40) % 2, right, np.nan)
    told = compare({"right": right, "wrong": wrong, "some": some}, positive, ["a"] * 40, [("right", "wrong")])
    assert [told["auroc"][name]["value"] for name in ("right", "wrong", "some")] == [1, 0, 1]
    assert told["auroc"]["some"]["LP"] == 10
    assert told["differences"][0]["value"] == 1 == told["differences"][0]["interval_variants"][0]


def test_dependent_variants_widen_the_interval_of_loci():
    random = np.random.default_rng(1)
    loci = np.repeat(np.arange(10), 40)
    positive = random.random(400) < np.where(loci % 2, 0.9, 0.1)
    values = random.normal(size=10)[loci] + 0.01 * random.normal(size=400)
    told = compare({"score": values}, positive, [str(one) for one in loci], [])["auroc"]["score"]
    by_variant, by_locus = (np.ptp(told[f"interval_{name}"]) for name in ("variants", "loci"))
    again = compare({"score": values}, positive, [str(one) for one in loci], [])["auroc"]["score"]
    assert told == again
    assert by_locus > 2 * by_variant


def test_a_class_that_is_absent_has_no_area():
    told = compare({"score": np.ones(3)}, np.zeros(3, bool), ["a", "b", "c"], [])
    assert told["auroc"]["score"] == {"value": None, "LP": 0, "LB": 3}


def test_held_out_places_follow_the_recipe():
    table = pl.DataFrame({"chrom": ["chr22", "chr1", "chr1", "chr9", "chr13"], "pos": [5, 1_000_000, 1_000_001, 7, 9]})
    assert variant_effects.held_out(table).to_list() == [True, True, False, True, False]


def test_records_are_sorted_into_kinds(tmp_path):
    rows = [("A", "C", "LP"), ("AC", "A", "LB"), ("A", "AC", "LP"), ("AC", "GT", "LB"), ("A", "CN", "VUS")]
    head = '##fileformat=VCFv4.2\n##contig=<ID=chr1>\n##INFO=<ID=CLS,Number=1,Type=String,Description="class">\n'
    lines = [f"chr1\t{10 + i}\t.\t{ref}\t{alt}\t.\t.\tCLS={cls}\n" for i, (ref, alt, cls) in enumerate(rows)]
    (tmp_path / "a.vcf").write_text(head + "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n" + "".join(lines))
    table = variant_effects.read(tmp_path / "a.vcf")
    assert table["kind"].to_list() == ["SNV", "deletion", "insertion", "MNV", "not ACGT"]
    assert pysam.VariantFile(str(tmp_path / "a.vcf")).header.contigs
    assert len(variant_effects.indels(table)) == 2
