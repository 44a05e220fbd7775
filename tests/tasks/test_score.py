"""Log-likelihoods: known values from logits, counts, both strands, tables and tracks."""

import json
import math

import numpy as np
import polars as pl
import polars.testing
import pytest
import torch

from genolm import InputError, Interval, Variant, merge
from genolm.genome.bigwig import read_bedgraph, read_bigwig
from genolm.genome.sequence import reverse_complement
from genolm.tasks.reading.likelihood import ScoreTask
from genolm.tasks.reading.scored_spans import mean_of_strands
from genolm.tasks.score import score

SEQUENCE = "ACGTTGNCAAT"
BASES = "ACGT"


@torch.inference_mode()
def by_hand(model, sequence, normalise="bases"):
    """Return the log-probability of each base from the logits; NaN at the first base and at N."""
    ids = torch.from_numpy(model.tokenizer.encode(sequence).astype(np.int64))[None]
    logits = model.network(ids).logits_BLV[0].double()
    bases = list(model.tokenizer.base_ids)
    values = [float("nan")]
    for place, base in enumerate(sequence[1:]):
        if base == "N":
            values.append(float("nan"))
            continue
        row = logits[place, bases] if normalise == "bases" else logits[place]
        values.append((logits[place, bases[BASES.index(base)]] - row.logsumexp(0)).item())
    return np.array(values)


def per_base(model, inputs, **kwargs):
    return score(model, inputs, per_base=True, **kwargs).table["log_probability_nats"].to_numpy()


def close(found, expected):
    np.testing.assert_allclose(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("normalise", ["bases", "vocabulary"])
def test_every_base_has_its_probability_given_those_before(tiny, normalise):
    close(per_base(tiny, [SEQUENCE], normalise=normalise), by_hand(tiny, SEQUENCE, normalise))


def test_sums_means_and_bits(tiny):
    table = score(tiny, [SEQUENCE]).table
    total = np.nansum(by_hand(tiny, SEQUENCE))
    assert table.columns == [
        "id",
        "length",
        "scored_bases",
        "log_likelihood_sum_nats",
        "log_likelihood_mean_nats_per_base",
        "bits_per_base",
        "strands",
    ]
    row = table.row(0, named=True)
    assert (row["id"], row["length"], row["scored_bases"], row["strands"]) == ("sequence1", 11, 9, "forward")
    assert row["log_likelihood_sum_nats"] == pytest.approx(total, rel=1e-5)
    assert row["log_likelihood_mean_nats_per_base"] == pytest.approx(total / 9, rel=1e-5)
    assert row["bits_per_base"] == pytest.approx(-total / 9 / math.log(2), rel=1e-5)


def test_a_sequence_without_anything_to_score_has_no_mean(tiny):
    table = score(tiny, ["A", "NNN", "AC"]).table
    assert table["scored_bases"].to_list() == [0, 0, 1]
    assert table["log_likelihood_sum_nats"].to_list()[:2] == [None, None]
    assert table["bits_per_base"].to_list()[:2] == [None, None]


def test_both_strands_meet_base_by_base(tiny):
    forward, reverse = by_hand(tiny, SEQUENCE), by_hand(tiny, reverse_complement(SEQUENCE))[::-1]
    found = per_base(tiny, [SEQUENCE], rc=True)
    close(found[1:-1], ((forward + reverse) / 2)[1:-1])
    close(found[[0, -1]], [reverse[0], forward[-1]])
    table = score(tiny, [SEQUENCE], rc=True).table
    assert (table["scored_bases"][0], table["strands"][0]) == (10, "both")
    assert table["log_likelihood_sum_nats"][0] == pytest.approx(np.nansum(found), rel=1e-5)


def test_mean_of_strands_takes_what_there_is():
    nan = np.float32("nan")
    found = mean_of_strands(np.float32([nan, 1, 2, nan]), np.float32([3, 4, nan, nan]))
    np.testing.assert_array_equal(found, np.float32([3, 2.5, 2, nan]))


def test_rows_per_base_of_sequences(tiny):
    table = score(tiny, ["ACN", "GT"], per_base=True).table
    assert table.columns == ["id", "position", "base", "log_probability_nats"]
    assert table["base"].to_list() == [*"ACN", *"GT"]
    assert table["position"].to_list() == [0, 1, 2, 0, 1]
    assert table["log_probability_nats"].is_null().to_list() == [True, False, True, True, False]


def test_rows_per_base_of_intervals_have_coordinates(tiny, genome_path):
    table = score(tiny, [Interval("chr1", 5, 8), Interval("chr2", 5, 8, "-")], genome=genome_path, per_base=True).table
    assert table.columns == ["id", "chrom", "start", "strand", "position", "base", "log_probability_nats"]
    assert table["start"].to_list() == [5, 6, 7, 7, 6, 5]
    assert table["chrom"].to_list() == ["chr1"] * 3 + ["chr2"] * 3


def test_rows_per_base_of_alleles_have_none(tiny, genome_path, contigs):
    variant = Variant("chr2", 50, contigs["chr2"][49], contigs["chr2"][49] + "ACC")
    table = score(tiny, [variant], genome=genome_path, length=12, per_base=True).table
    assert "start" not in table.columns
    assert table["id"].unique(maintain_order=True).to_list() == [f"{variant}/ref", f"{variant}/alt"]


@pytest.mark.parametrize("suffix", [".parquet", ".tsv", ".csv"])
@pytest.mark.parametrize("rows", ["sequence", "base"])
def test_tables_hold_what_is_returned(tiny, fasta, tmp_path, suffix, rows):
    path = tmp_path / f"scores{suffix}"
    expected = score(tiny, fasta, per_base=rows == "base").table
    score(tiny, fasta, path, per_base=rows == "base")
    if suffix == ".parquet":
        assert pl.read_parquet(path).equals(expected)
        metadata = pl.read_parquet_metadata(path)
    else:
        found = pl.read_csv(path, separator="\t" if suffix == ".tsv" else ",", schema=expected.schema)
        polars.testing.assert_frame_equal(found, expected)
        metadata = json.loads((tmp_path / f"scores{suffix}.provenance.json").read_text())
    assert metadata["model"] == "tiny-random-dense"
    assert metadata["model_fingerprint"] == tiny.fingerprint
    assert (metadata["strands"], metadata["normalised_over"], metadata["precision"]) == ("forward", "bases", "float32")


@pytest.mark.parametrize("suffix", [".bw", ".bedgraph"])
def test_tracks_lie_on_the_forward_strand_of_the_genome(tiny, bed, genome_path, contigs, tmp_path, suffix):
    path = tmp_path / f"track{suffix}"
    score(tiny, bed, path, genome=genome_path)
    values = track_values(path, contigs)
    expected = {name: np.full(len(bases), np.nan) for name, bases in contigs.items()}
    expected["chr2"][10:40] = by_hand(tiny, reverse_complement(contigs["chr2"][10:40]))[::-1]
    expected["chr2"][100:120] = by_hand(tiny, contigs["chr2"][100:120] + "N" * 20)[:20]
    expected["chr1"][95:130] = by_hand(tiny, contigs["chr1"][95:130])
    expected["chr1"][0:20] = by_hand(tiny, reverse_complement(contigs["chr1"][0:20]))[::-1]
    for name in contigs:
        close(values[name], expected[name])


def track_values(path, contigs):
    values = {name: np.full(len(bases), np.nan) for name, bases in contigs.items()}
    if path.suffix == ".bw":
        return {name: read_bigwig(path, Interval(name, 0, len(bases))) for name, bases in contigs.items()}
    for chrom, start, end, value in read_bedgraph(path):
        values[chrom][start:end] = value
    return values


def test_a_track_of_whole_contigs(tiny, genome_path, contigs, tmp_path):
    score(tiny, genome_path, tmp_path / "track.bw")
    for name, bases in contigs.items():
        close(read_bigwig(tmp_path / "track.bw", Interval(name, 0, len(bases))), by_hand(tiny, bases))


@pytest.mark.parametrize("suffix", [".parquet", ".tsv", ".bw", ".bedgraph.gz"])
def test_shards_merge_into_the_bytes_of_one_run(tiny, bed, genome_path, tmp_path, suffix, monkeypatch):
    monkeypatch.setattr(ScoreTask, "part_tokens", 30, raising=False)
    once, shared = tmp_path / f"once{suffix}", tmp_path / f"shared{suffix}"
    score(tiny, bed, once, genome=genome_path, rc=True)
    for number in (2, 1):
        score(tiny, bed, shared, genome=genome_path, rc=True, shard=f"{number}/2")
    merge(shared)
    assert shared.read_bytes() == once.read_bytes()


def test_a_track_refuses_what_has_two_values_for_a_base(tiny, genome_path, contigs, tmp_path):
    overlapping = [Interval("chr1", 50, 70), Interval("1", 0, 20), Interval("chr1", 10, 30, "-")]
    with pytest.raises(InputError, match=r"one value per base, but intervals overlap: chr1:1-20 and chr1:11-30:-"):
        score(tiny, overlapping, tmp_path / "track.bw", genome=genome_path)
    variant = Variant("chr2", 50, contigs["chr2"][49], "ACGT".replace(contigs["chr2"][49], "")[0])
    with pytest.raises(InputError, match="a track has one value per base and variants have two alleles"):
        score(tiny, [variant], tmp_path / "track.bw", genome=genome_path, length=8)
    with pytest.raises(InputError, match=r"a track needs the coordinates of every sequence \(value 'sequence2'\)"):
        score(tiny, [Interval("chr1", 0, 9), "ACGT"], tmp_path / "track.bw", genome=genome_path)
    assert not list(tmp_path.iterdir())


def test_settings_are_checked(tiny, tmp_path):
    with pytest.raises(InputError, match=r"normalise must be one of bases, vocabulary \(value 'tokens'\)"):
        score(tiny, ["ACGT"], normalise="tokens")
    with pytest.raises(InputError, match=r"unsupported output format; use one of \.parquet, \.tsv, \.csv, \.bw"):
        score(tiny, ["ACGT"], tmp_path / "out.npy")
