"""Summaries of the verbs: in the result, in the provenance, and as a warning if many results are missing."""

import json
import random

import pytest
from tests.noted import noted
from tests.tasks.conftest import ocean_model

import genolm
from genolm.engine.events import Finished, Note
from genolm.engine.result import Estimate
from genolm.engine.summary import provenance_path
from genolm.errors import InputError
from genolm.tasks.reading.allele_status import UNSCORED, Status

SMALL = {"context": 20, "horizon": 8}
COUNTS = {"ALT alleles": 12, "scored": 7, "missing": 1, "no_context": 1, "non_acgt": 1, "star": 1, "symbolic": 1}


def summary(verb, *arguments, **settings):
    """Return the summary line of a verb, and its notes."""
    events = []
    verb(*arguments, progress=events.append, **settings)
    outcome = next(event.outcome for event in events if isinstance(event, Finished))
    return str(outcome.summary), [str(event.notice) for event in events if isinstance(event, Note)]


def counts_beside(out):
    return json.loads(provenance_path(out).read_text())["counts"]


@pytest.fixture(scope="session")
def vcf(contigs, tmp_path_factory):
    """ALT alleles of all kinds: several, star, symbolic, without context, ambiguity code, missing."""
    one, two = contigs["chr1"], contigs["chr2"]
    records = [
        ("1", 51, one[50], ",".join(sorted(set("ACGT") - {one[50]}))),
        ("1", 60, one[59:62], f"{one[59]},*"),
        ("chr1", 60, one[59], f"{one[59]}GGTTA,<DEL>"),
        ("chr2", 120, two[119], "ACGT".replace(two[119], "")[0]),
        ("chr2", 1, two[0], "ACGT".replace(two[0], "")[0]),
        ("chr1", 99, one[98], f"{one[98]}A,R"),
        ("chr1", 30, one[29], "."),
    ]
    lines = ["##fileformat=VCFv4.2", "##contig=<ID=chr1,length=300>", "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"]
    path = tmp_path_factory.mktemp("vcf") / "in.vcf"
    path.write_text("\n".join([*lines, *(f"{c}\t{p}\t.\t{r}\t{a}\t.\t.\t." for c, p, r, a in records)]) + "\n")
    return path


def test_every_status_without_a_score_has_a_remedy_and_a_meaning_in_the_report():
    from typing import get_args

    statuses = {name for kind in get_args(Status) for name in get_args(kind) or (kind,)}
    assert set(UNSCORED) == statuses - {"scored", "flipped"}


@pytest.mark.parametrize("suffix", [".vcf", ".vcf.gz", ".bcf", ".tsv", ".parquet"])
def test_alternatives_are_counted_by_status_beside_every_kind_of_output(tiny, vcf, genome_path, tmp_path, suffix):
    out = tmp_path / f"out{suffix}"
    text, caught = summary(genolm.variants, tiny, vcf, out, genome=genome_path, **SMALL)
    assert text == "12 ALT alleles: 7 scored, 1 missing, 1 no_context, 1 non_acgt, 1 star, 1 symbolic"
    assert counts_beside(out) == COUNTS
    assert json.loads(provenance_path(out).read_text())["horizon"] == "8"
    assert len(caught) == 1 and caught[0].startswith(
        "5 of 12 ALT alleles (42%) have no score, most often missing (1): "
    )


def test_shards_resumed_and_merged_have_the_bytes_of_one_run(tiny, vcf, genome_path, tmp_path, monkeypatch):
    monkeypatch.setattr("genolm.engine.plan.PART_TOKENS", 40)
    settings = {"genome": genome_path, **SMALL}
    whole, shared = tmp_path / "whole.vcf", tmp_path / "shared.vcf"
    genolm.variants(tiny, vcf, whole, **settings)
    for shard in ("1/2", "2/2", "2/2"):
        genolm.variants(tiny, vcf, shared, shard=shard, **settings)
    genolm.merge(shared)
    assert whole.read_bytes() == shared.read_bytes()
    assert provenance_path(whole).read_bytes() == provenance_path(shared).read_bytes()


def test_a_genome_of_another_build_is_warned_about(tiny, vcf, genome_path, tmp_path):
    other = tmp_path / "other.vcf"
    other.write_text(vcf.read_text().replace("length=300", "length=301"))
    with noted("its header gives chr1 301 bases, and genome.fa has 300"):
        genolm.variants(tiny, other, genome=genome_path, **SMALL)


def test_single_base_changes_are_counted(tiny, genome_path, tmp_path):
    text, _ = summary(genolm.mutate, tiny, "chr1:98-106", tmp_path / "m.tsv", genome=genome_path)
    assert text == "15 single-base changes: 15 scored"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "5 sequences, 111 bases; 5 vectors (48 dimensions, layer 3)"),
        ({"layer": "all"}, "5 sequences, 111 bases; 20 vectors (48 dimensions, 4 layers)"),
        ({"pooling": "none"}, "5 sequences, 111 bases; 111 vectors (48 dimensions, layer 3)"),
        (
            {"pooling": "bases", "layer": "all", "context": 8},
            "5 sequences, 111 bases; 444 vectors (48 dimensions, 4 layers)",
        ),
    ],
)
def test_vectors_are_counted(tiny, fasta, tmp_path, settings, said):
    out = tmp_path / "v.npy"
    assert summary(genolm.embed, tiny, fasta, out, **settings) == (said, [])
    assert counts_beside(out)["sequences"] == 5


@pytest.mark.parametrize("form", ["sequence", "base", "track"])
def test_sequences_without_a_score_are_counted_alike_in_every_form(tiny, tmp_path, form):
    (tmp_path / "in.fa").write_text(">a\nACGTAC\n>b\nNNNNNN\n>c\nACNGT\n")
    out = tmp_path / ("o.bw" if form == "track" else "o.tsv")
    text, caught = summary(genolm.score, tiny, tmp_path / "in.fa", out, per_base=form == "base")
    assert text == "3 sequences: 2 scored, 1 without a score; 17 bases, 8 bases scored"
    assert caught == [
        "1 of 3 sequences (33%) have no score: no base is preceded by a known base, or no "
        "token consists of A, C, G and T"
    ]
    assert counts_beside(out) == {
        "sequences": 3, "scored": 2, "without a score": 1, "bases": 17, "bases scored": 8,
    }  # fmt: skip


def test_generated_sequences_are_counted_by_what_ended_them(tiny, tmp_path):
    text, _ = summary(genolm.generate, tiny, ["ACGT", "GG"], tmp_path / "g.fa", n=2, length=9)
    assert text == "4 sequences: 4 ended by length; 36 new bases"
    events = []
    table = genolm.generate(ocean_model(), ["ACGT"], n=6, max_tokens=12, length=500, progress=events.append).table
    found = next(event.outcome.summary for event in events if isinstance(event, Finished))
    assert sum(found.outcomes.values()) == 6
    assert found.outcomes == {f"ended by {name}": count for name, count in table["finish_reason"].value_counts().rows()}
    assert found.results == {"new bases": table["generated"].str.len_chars().sum()}


def test_a_scan_counts_bases_windows_and_intervals(tiny, tmp_path):
    (tmp_path / "in.fa").write_text(f">a\n{'ACGTTGCAAC' * 30}{'N' * 40}{'ACGTTGCAAC' * 30}\n>b\nACGT\n")
    text, caught = summary(genolm.scan, tiny, tmp_path / "in.fa", tmp_path / "s", window=100, overlap=20)
    assert caught == []
    record = json.loads((tmp_path / "s.json").read_text())
    windows = text.split("; ")[1]
    assert text.startswith("644 bases: 604 scored, 40 N or ambiguous; 2 contigs, ")
    assert windows.endswith(f"{record['calls']['calls']} intervals called")
    in_memory, _ = summary(genolm.scan, tiny, tmp_path / "in.fa", window=100, overlap=20)
    assert in_memory == text


def test_a_scan_of_bases_that_nothing_precedes_is_warned_about(tiny, tmp_path):
    (tmp_path / "in.fa").write_text("".join(f">c{number}\nA\n" for number in range(9)) + ">d\nACGTACGTACGT\n")
    _, caught = summary(genolm.scan, tiny, tmp_path / "in.fa", tmp_path / "s")
    assert caught == [
        "9 of 21 bases (43%) have no value: they are at the start of a contig or follow N, or share a token with N"
    ]


@pytest.mark.parametrize(
    ("verb", "arguments", "settings"),
    [
        (genolm.embed, ["ACGT" * 9], {"pooling": "none"}),
        (genolm.score, ["ACGT" * 9], {"rc": True}),
        (genolm.generate, ["ACGT"], {"length": 5}),
        (genolm.scan, ["ACGT" * 30], {"window": 50}),
    ],
)
def test_python_gets_an_estimate_from_a_dry_run(tiny, tmp_path, verb, arguments, settings):
    found = verb(tiny, arguments, dry_run=True, **settings).estimate
    assert isinstance(found, Estimate) and found.batches > 0 and found.seconds > 0
    assert found.weight_bytes == tiny.weight_bytes == 4 * tiny.config.parameters
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_of_variants_and_mutations_draws_and_writes_nothing(tiny, vcf, genome_path, tmp_path):
    found = genolm.variants(tiny, vcf, tmp_path / "o.vcf", genome=genome_path, dry_run=True, **SMALL).estimate
    assert (found.unit, found.items) == ("variant records", 7)
    found = genolm.mutate(
        tiny, "chr1:98-106", tmp_path / "m.tsv", genome=genome_path, plot=tmp_path / "m.png", dry_run=True
    ).estimate
    assert (found.unit, found.items) == ("positions", 5)
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_finds_what_is_wrong_with_the_input(tiny, vcf, genome_path, tmp_path):
    bad = tmp_path / "bad.vcf"
    bad.write_text(vcf.read_text() + "chr1\t40\t.\tNN\tA\t.\t.\t.\nchr1\t301\t.\tA\tC\t.\t.\t.\n")
    with pytest.raises(InputError, match="beyond the end of the contig"):
        genolm.variants(tiny, bad, tmp_path / "o.vcf", genome=genome_path, dry_run=True, **SMALL)


def test_completed_genes_and_those_left_out_are_counted(tmp_path):
    pytest.importorskip("edlib")
    gene = "ATG" + "GCA" * 40 + "TAA"
    (tmp_path / "genes.fa").write_text(f">a\n{gene}\n>b\nATGGCATAA\n>c\n{gene[:-3]}\n")
    settings = {"n": 2, "shortest": 30}
    text, _ = summary(
        genolm.complete, genolm.load("tiny-random-dense"), tmp_path / "genes.fa", tmp_path / "o.tsv", **settings
    )
    assert text == (
        "1 gene; 2 completions, 1 gene left out (shorter than 30 bases), 1 gene left out (without a stop codon)"
    )
    assert counts_beside(tmp_path / "o.tsv")["completions"] == 2


def test_clustered_fragments_are_counted_in_the_folder(tiny, tmp_path):
    pytest.importorskip("sklearn")
    files = []
    for number in range(3):
        files.append(tmp_path / f"g{number}.fa")
        bases = "".join(random.Random(number).choices("ACGT", k=2000))
        files[-1].write_text(f">c\n{bases}{'N' * 200 * (number == 0)}\n")
    settings = {"length": 200, "reduce": "pca", "repeats": 1, "twin": False}
    text, _ = summary(genolm.cluster, tiny, files, tmp_path / "out", **settings)
    left_out = json.loads((tmp_path / "out" / "cluster.json").read_text())["drawn"]["200"]["g0"]["too_many_n"]
    assert text == f"30 fragments, 6,000 bases; 3 genomes, {left_out} fragment left out (too many N)"
    provenance = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert provenance["counts"]["fragments"] == 30 and provenance["model"] == "tiny-random-dense"
