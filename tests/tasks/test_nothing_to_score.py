"""A sequence without a scored base has a null score, never zero, which would be a perfect likelihood."""

import math

import numpy as np
import polars as pl
import pytest

import genolm
from genolm.genome.bigwig import read_bigwig

MODELS = ("tiny-random-dense", "tiny-random-gengram", "tiny-random-ocean", "tiny-random-bert", "tiny-random-bigbird",
          "tiny-random-moderngena")  # fmt: skip
UNSCORED = ("NNNN", "N", "N" * 300)


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    return genolm.load(request.param, device="cpu")


@pytest.mark.parametrize("rc", [False, True])
def test_sums_and_means_are_null_and_the_count_is_zero(model, rc):
    table = genolm.score(model, [*UNSCORED, "ACGTACGT"], rc=rc).table
    assert table["scored_bases"].to_list()[:3] == [0, 0, 0] and table["scored_bases"][3] > 0
    numbers = [name for name in table.columns if "likelihood" in name or "bits" in name]
    assert any("sum" in name for name in numbers) and any("mean" in name for name in numbers)
    for name in numbers:
        assert table[name].to_list()[:3] == [None] * 3, name
        assert math.isfinite(table[name][3]), name


@pytest.mark.parametrize("rc", [False, True])
def test_every_base_is_null_base_by_base(model, rc):
    table = genolm.score(model, UNSCORED, per_base=True, rc=rc).table
    name = next(name for name in table.columns if "log_probability" in name)
    assert len(table) == sum(map(len, UNSCORED)) and table[name].null_count() == len(table)


@pytest.mark.parametrize("rc", [False, True])
def test_one_base_of_context_gives_a_decoder_no_score(rc):
    table = genolm.score("tiny-random-dense", ["ACGTACGT"], context=1, rc=rc).table
    assert table["scored_bases"].to_list() == [0]
    assert table["log_likelihood_sum_nats"].to_list() == [None] == table["bits_per_base"].to_list()


def test_the_sum_of_one_strand_is_that_of_the_strand_that_has_it():
    one, both = (genolm.score("tiny-random-dense", ["NC"], rc=rc).table for rc in (False, True))
    assert both["scored_bases"].to_list() == [1] == one["scored_bases"].to_list()
    assert both["log_likelihood_sum_nats"][0] == pytest.approx(one["log_likelihood_sum_nats"][0], rel=1e-5)


def test_a_track_has_no_data_where_there_is_no_score(model, tmp_path):
    (tmp_path / "g.fa").write_text(">a\nACGTACGTACNNNNNNNNNN\n")
    places = [genolm.Interval("a", 0, 10), genolm.Interval("a", 10, 20)]
    for out in ("s.bw", "s.bedgraph"):
        genolm.score(model, places, tmp_path / out, genome=tmp_path / "g.fa")
    assert np.isnan(read_bigwig(tmp_path / "s.bw", places[1])).all()
    assert np.isfinite(read_bigwig(tmp_path / "s.bw", places[0])).sum() > 4
    ends = [int(line.split("\t")[2]) for line in (tmp_path / "s.bedgraph").read_text().splitlines()]
    assert max(ends) <= 10


def test_a_contig_of_n_has_no_mean_in_a_scan(model, tmp_path):
    (tmp_path / "g.fa").write_text(f">a\n{'ACGTTGCA' * 40}\n>b\n{'N' * 50}\n>c\nACNNN\n")
    found = genolm.scan(model, tmp_path / "g.fa")
    rows = {row["name"]: row for row in found.record["contigs"]}
    assert (rows["b"]["scored_bases"], rows["b"]["mean"]) == (0, None)
    assert np.isnan(found.tracks["b"]).all() and rows["a"]["mean"] is not None
    assert (rows["c"]["mean"] is None) == (rows["c"]["scored_bases"] == 0)


def test_a_written_table_leaves_the_fields_empty(tmp_path):
    genolm.score("tiny-random-dense", ["NNNN", "ACGT"], tmp_path / "s.tsv")
    first, second = pl.read_csv(tmp_path / "s.tsv", separator="\t").rows(named=True)
    assert first["log_likelihood_sum_nats"] is None and second["log_likelihood_sum_nats"] is not None
