"""Saturation mutagenesis: all substitutions, scores equal to those of variants, plots."""

import polars as pl
import pytest

import genolm
from genolm import Genome, Interval
from genolm.errors import InputError, RunError
from genolm.tasks.variants.mutate import mutate
from genolm.tasks.variants.variants import variants

SITE = "llr_alt_minus_ref_site_nats"


def test_every_substitution_once_and_in_order(tiny, contigs, genome_path):
    table = mutate(tiny, "chr1:95-110", genome=genome_path, context=20).table
    assert table.columns == ["chrom", "pos", "ref", "alt", SITE, "status"]
    expected = [
        ("chr1", pos, ref, alt)
        for pos in range(95, 111)
        for ref in contigs["chr1"][pos - 1]
        for alt in "ACGT"
        if alt != ref and ref != "N"
    ]
    assert table.select("chrom", "pos", "ref", "alt").rows() == expected
    assert len(expected) == 36  # four of the sixteen bases are N


@pytest.mark.parametrize("method", ["conditional", "full"])
def test_scores_are_those_of_variants(tiny, genome_path, method):
    table = mutate(tiny, "2:31-36", genome=genome_path, method=method, context=20, rc=True).table
    same = variants(tiny, table, genome=genome_path, method=method, context=20, rc=True).table
    name = SITE if method == "conditional" else "llr_alt_minus_ref_sum_nats"
    for ending in ("", "_forward", "_reverse"):
        assert table[name + ending].to_list() == pytest.approx(same[name + ending].to_list(), abs=1e-5)


def test_the_first_base_has_nothing_before_it(tiny, genome_path):
    table = mutate(tiny, Interval("chr2", 0, 2), genome=Genome(genome_path)).table
    assert table["status"].to_list() == ["no_context"] * 3 + ["scored"] * 3
    assert table[SITE].null_count() == 3


def test_outputs_and_picture(tiny, genome_path, tmp_path):
    table = mutate(tiny, "chr2:31-36", genome=genome_path).table
    for suffix, separator in ((".parquet", None), (".tsv", "\t"), (".csv", ",")):
        out, plot = tmp_path / f"out{suffix}", tmp_path / f"plot{suffix}.svg"
        assert mutate(tiny, "chr2:31-36", out, genome=genome_path, plot=plot).path == out
        read = pl.read_csv(out, separator=separator, schema=table.schema) if separator else pl.read_parquet(out)
        assert read.equals(table)
        assert "chr2:31–36" in _texts(plot)
    pictures = {path.read_bytes() for path in tmp_path.glob("*.svg")}
    assert len(pictures) == 1
    assert pl.read_parquet_metadata(tmp_path / "out.parquet")["interval"] == "chr2:31-36"


def _texts(svg):
    """Return the comments of matplotlib for the outlines of letters."""
    return "".join(line for line in svg.read_text().splitlines() if "<!--" in line)


def test_shards_join_without_the_model(tiny, genome_path, tmp_path):
    one, three = tmp_path / "one.parquet", tmp_path / "three.parquet"
    mutate(tiny, "chr2:31-60", one, genome=genome_path)
    for number in (1, 2, 3):
        mutate(tiny, "chr2:31-60", three, genome=genome_path, shard=(number, 3))
    genolm.merge(three)
    assert one.read_bytes() == three.read_bytes()


@pytest.mark.parametrize(
    ("interval", "message"),
    [
        ("chr2:100-121", r"the interval extends beyond chr2, which has bases 1-120 \(value 'chr2:100-121'\)"),
        ("chr2:0-5", "the interval extends beyond chr2"),
        ("chr2:10-20:-", "mutations are defined on the forward strand .*; pass rc=True to read both strands"),
        ("chr1:101-104", "the genome has only N in this interval"),
        ("chr7:1-4", "no such contig"),
        ("chr2", "invalid interval: expected e.g. chr22:1,001-2,000"),
    ],
)
def test_intervals_that_cannot_be_mutated(tiny, genome_path, interval, message):
    with pytest.raises(InputError, match=message):
        mutate(tiny, interval, genome=genome_path)


def test_outputs_that_cannot_be_written(tiny, genome_path, tmp_path):
    with pytest.raises(InputError, match=r"out\.vcf: unsupported output format; use one of \.parquet"):
        mutate(tiny, "chr2:31-36", tmp_path / "out.vcf", genome=genome_path)
    with pytest.raises(InputError, match=r"plot\.jpg: unsupported plot format; use one of \.png, \.svg, \.pdf"):
        mutate(tiny, "chr2:31-36", genome=genome_path, plot=tmp_path / "plot.jpg")
    with pytest.raises(InputError, match="a plot needs all positions: merge the shards"):
        mutate(tiny, "chr2:31-36", tmp_path / "a.tsv", genome=genome_path, plot=tmp_path / "p.png", shard="1/2")
    long = tmp_path / "long.fa"
    long.write_text(f">c\n{'N' * 50}{'ACGT' * 800}\n")
    with pytest.raises(InputError, match="a plot is limited to 3,000 bases, not 3,200; plot a shorter interval"):
        mutate(tiny, "c:1-3250", tmp_path / "a.tsv", genome=long, plot=tmp_path / "p.png")
    for path in (long, tmp_path / "long.fa.fai"):
        path.unlink()
    (tmp_path / "b.tsv").touch()
    with pytest.raises(RunError, match="overwrite=True"):
        mutate(tiny, "chr2:31-36", tmp_path / "b.tsv", genome=genome_path)
    assert [path.name for path in tmp_path.iterdir()] == ["b.tsv"]


@pytest.mark.parametrize("verb", ["mutate", "variants"])
def test_an_opened_genome_keeps_its_policy_for_ambiguous_letters(tiny, tmp_path, verb):
    path = tmp_path / "g.fa"
    path.write_text(f">c\n{'ACGTTGCA' * 5}RACGTACGT\n")

    def run(genome):
        if verb == "mutate":
            return mutate(tiny, "c:43-46", genome=genome).table
        return variants(tiny, ["c:43:C>T"], genome=genome).table

    assert run(path).equals(run(Genome(path)))
    message = r"invalid letter at c:41 of g\.fa: not a base, or an ambiguity code \(value 'R'\); pass iupac='N'"
    with pytest.raises(InputError, match=message):
        run(Genome(path, iupac="raise"))


@pytest.mark.parametrize("method", ["conditional", "window"])
def test_kept_parts_are_plotted_without_the_model(tiny, ocean, genome_path, tmp_path, method):
    model = tiny if method == "conditional" else ocean
    settings = {"genome": genome_path, "method": method}
    kept = mutate(model, "chr1:31-60", tmp_path / "kept.tsv", **settings, keep_parts=True)
    whole = mutate(model, "chr1:31-60", tmp_path / "whole.parquet", **settings, plot=tmp_path / "whole.svg")
    parts = tmp_path / "kept.tsv.parts"
    again = mutate(out=tmp_path / "again.parquet", from_=parts, plot=tmp_path / "again.svg")
    for one, other in ((again.path, whole.path), (tmp_path / "again.svg", tmp_path / "whole.svg")):
        assert one.read_bytes() == other.read_bytes()
    assert mutate(from_=parts, plot=tmp_path / "memory.svg").table.equals(pl.read_parquet(whole.path))
    assert (tmp_path / "memory.svg").read_bytes() == (tmp_path / "whole.svg").read_bytes()
    assert mutate(out=tmp_path / "same.tsv", from_=parts).path.read_bytes() == kept.path.read_bytes()
    provenance = [(tmp_path / f"{name}.provenance.json").read_bytes() for name in ("kept.tsv", "same.tsv")]
    assert provenance[0] == provenance[1]
    with pytest.raises(InputError, match="so method cannot be given with it; expected only plot"):
        mutate(from_=parts, method=method)
    with pytest.raises(InputError, match="a model, an interval and a genome are required; pass from_=…"):
        mutate(tiny, "chr1:31-60")
