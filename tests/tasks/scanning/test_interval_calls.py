"""Interval calls: planted intervals, noise, thresholds, false discovery rates and the BED file."""

import numpy as np
import pytest

from genolm.genome.bed import read_bed
from genolm.tasks.scanning.interval_calls import COLUMNS, Calling, _false_discovery, call, write_bed

QUICK = {"smooth": 100, "min_length": 100, "block": 25, "shuffles": 20}


def noise(count, seed=0):
    return np.random.default_rng(seed).normal(1.5, 0.5, count).astype(np.float32)


def planted(seed=0):
    """Return noise with a high interval on one contig and a low interval on another."""
    one, two = noise(20_000, seed), noise(10_000, seed + 1)
    one[8_000:9_500] += 0.5
    two[3_000:4_000] -= 0.6
    return [("one", one), ("two", two)]


def test_planted_stretches_are_found_where_they_are():
    rows, about = call(planted(), Calling("both", **QUICK))
    assert rows["name"].to_list() == ["high1", "low1"]
    assert rows.columns == list(COLUMNS)
    high, low = rows.rows(named=True)
    assert (high["chrom"], low["chrom"]) == ("one", "two")
    for found, start, end, depth in ((high, 8_000, 9_500, 0.5), (low, 3_000, 4_000, -0.6)):
        assert (abs(found["start"] - start) <= 60, abs(found["end"] - end) <= 60) == (True, True)
        assert found["length"] == found["end"] - found["start"]
        assert found["depth"] == pytest.approx(depth, abs=0.08)
        assert np.sign(found["peak_z"]) == np.sign(depth)
        assert 0 < found["fdr"] <= 0.1
        assert found["score"] == round(1000 * (1 - found["fdr"]))
    assert about["mean"] == pytest.approx(np.mean(np.concatenate([one for _, one in planted()])), abs=1e-4)
    assert about["bases_looked_at"] == 30_000


def test_the_depth_is_that_of_the_track_itself():
    contigs = planted()
    row = call(contigs, Calling("high", **QUICK))[0].row(0, named=True)
    everything = np.concatenate([one for _, one in contigs])
    inside = contigs[0][1][row["start"] : row["end"]]
    assert row["depth"] == pytest.approx(inside.mean(dtype=float) - everything.mean(dtype=float), abs=1e-4)


@pytest.mark.parametrize("side", ["high", "low"])
def test_one_side_is_called_alone(side):
    assert {name.rstrip("1") for name in call(planted(), Calling(side, **QUICK))[0]["name"]} == {side}


def test_noise_has_hardly_any_calls():
    found = sum(len(call([("c", noise(20_000, seed))], Calling("both", **QUICK))[0]) for seed in range(20))
    assert found <= 3


def test_rates_hold_back_what_the_thresholds_let_through():
    settings = {**QUICK, "enter": 1.5, "leave": 0.5}
    contigs = [("c", noise(20_000))]
    assert len(call(contigs, Calling("high", max_fdr=1.0, **settings))[0]) > 20
    assert len(call(contigs, Calling("high", max_fdr=0.05, **settings))[0]) == 0


def test_structure_within_a_block_is_part_of_the_null():
    """Spans of 100 bases at one level are broken by blocks of 10 bases, and kept by blocks of 500."""
    levels = np.random.default_rng(3).normal(0, 1, 400).astype(np.float32)
    track = np.repeat(levels, 100)
    settings = {"smooth": 50, "min_length": 50, "shuffles": 20, "enter": 2.0}
    short = call([("c", track)], Calling("both", block=4, **settings))[0]
    long = call([("c", track)], Calling("both", block=1000, **settings))[0]
    assert (len(short) > 50, len(long)) == (True, 0)


def test_a_call_goes_on_through_what_stays_above_the_lower_threshold():
    track = noise(20_000)
    track[5_000:5_600] += 1.0
    track[5_600:5_900] += 0.35
    track[5_900:6_500] += 1.0
    whole = call([("c", track)], Calling("high", enter=4.0, leave=1.0, **QUICK))[0]
    apart = call([("c", track)], Calling("high", enter=4.0, leave=4.0, **QUICK))[0]
    assert (len(whole), len(apart)) == (1, 2)


def test_short_calls_are_left_out():
    track = noise(20_000)
    track[5_000:5_200] += 1.5
    settings = {**QUICK, "min_length": 400}
    assert len(call([("c", track)], Calling("high", **QUICK))[0]) == 1
    assert len(call([("c", track)], Calling("high", **settings))[0]) == 0


def test_gaps_end_calls_and_hold_no_values():
    track = noise(20_000)
    track[5_000:7_000] += 1.0
    track[5_900:6_100] = np.nan
    rows, about = call([("c", track)], Calling("high", **QUICK))
    assert [(row["start"] < 5_900, row["end"] > 6_100) for row in rows.rows(named=True)] == [
        (True, False),
        (False, True),
    ]
    assert all(row["end"] <= 5_904 or row["start"] >= 6_096 for row in rows.rows(named=True))
    assert about["bases_looked_at"] == pytest.approx(19_800, abs=8)


def test_contigs_are_not_joined():
    """High values at the end of a contig and at the start of the next give two calls."""
    one, two = noise(10_000), noise(10_000, 1)
    one[-600:] += 1.0
    two[:600] += 1.0
    rows = call([("b", one), ("a", two)], Calling("high", **QUICK))[0]
    assert rows.select("chrom", "end").row(0) == ("b", 10_000)
    assert rows.select("chrom", "start").row(1) == ("a", 0)


def test_the_same_seed_the_same_calls_another_seed_other_rates():
    contigs = planted()
    settings = {**QUICK, "enter": 1.5, "leave": 0.5, "max_fdr": 1.0}
    one, again, other = (call(contigs, Calling("both", seed=seed, **settings))[0] for seed in (0, 0, 1))
    assert one.equals(again)
    assert not one.equals(other)


def test_false_discovery_rates():
    """Null areas 9, 4 and 1 from 5 shuffles; one false call is added."""
    areas = np.array([2.0, 10.0, 5.0])
    found = _false_discovery(areas, np.array([9.0, 4.0, 1.0]), 5)
    # Beyond 10: 0, of one call; beyond 5: 1, of two; beyond 2: 2, of three; then never rising with size.
    np.testing.assert_allclose(found, [3 / 15, 1 / 5, 2 / 10])
    np.testing.assert_allclose(_false_discovery(areas, np.array([]), 100), [1 / 300] * 3)
    np.testing.assert_allclose(_false_discovery(np.array([1.0]), np.full(50, 2.0), 5), [1.0])


@pytest.mark.parametrize(
    ("track", "why"),
    [
        (noise(450), "18 blocks are too few for a null"),
        (np.full(20_000, 1.0, np.float32), "the track is the same everywhere"),
        (np.full(20_000, np.nan, np.float32), "0 blocks are too few for a null"),
    ],
)
def test_what_cannot_be_called_says_why(track, why):
    rows, about = call([("c", track)], Calling("both", **QUICK))
    assert len(rows) == 0
    assert why in about["not_called_because"]


def test_no_calls_are_wanted():
    assert call(planted(), Calling("none"))[1] == {"side": "none"}


def test_bed_file(tmp_path):
    rows = call(planted(), Calling("both", **QUICK))[0]
    write_bed(rows, tmp_path / "calls.bed", "depth_nats")
    head, *lines = (tmp_path / "calls.bed").read_text().splitlines()
    assert head == "#chrom\tstart\tend\tname\tscore\tstrand\tlength\tdepth_nats\tpeak_z\tfdr"
    assert [line.split("\t")[:4] for line in lines] == [
        [str(value) for value in row] for row in rows.select("chrom", "start", "end", "name").rows()
    ]
    assert {len(line.split("\t")) for line in lines} == {10}
    assert [record.name for record in read_bed(tmp_path / "calls.bed")] == rows["name"].to_list()
