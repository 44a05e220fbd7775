"""Coding and intergenic sequence: table, classes, baselines, AUROC and confidence intervals."""

import math
import random
from pathlib import Path

import numpy as np
import pytest

from genolm.errors import InputError
from genolm.genome.annotation.gene_map import CodingGene, GeneMap
from genolm.genome.interval import Interval
from genolm.genome.sequence import reverse_complement
from genolm.genome.sequences import SequenceRecord
from genolm.statistics.auroc import auroc
from genolm.statistics.separation import separations
from genolm.tasks.scanning import held_out_markov as markov
from genolm.tasks.scanning.base_values import Tracks
from genolm.tasks.scanning.gene_separation import GeneSettings, gene_table, separation
from genolm.tasks.scanning.held_out_markov import HeldOutMarkov


def bases(count, seed=0):
    return "".join(random.Random(seed).choices("ACGT", k=count))


def gene(name, *parts, chrom="c", strand="+"):
    return CodingGene(name, tuple(Interval(chrom, start, end, strand) for start, end in parts))


def gene_map(*genes, others=()):
    parts = [part for one in genes for part in one.parts]
    return GeneMap(Path("x"), genes, (*parts, *others))


def tracks_of(values, chrom="c"):
    """Return tracks with given forward values, and 0.5 more on the reverse strand."""
    tracks = Tracks({chrom: len(values)}, (False, True), ["model"])
    tracks.strand(chrom, False)[:] = values
    tracks.strand(chrom, True)[:] = values + 0.5
    return tracks


def test_a_gene_on_both_strands_is_read_on_the_strand_of_each_part():
    both = CodingGene("mod", (Interval("c", 10, 20, "-"), Interval("c", 30, 40, "+")))
    tracks = tracks_of(np.arange(100, dtype=np.float32))
    tracks.strand("c", True)[:20] -= 0.25
    (row,) = gene_table(gene_map(both), tracks, "mean").rows(named=True)
    assert (row["strand"], row["coding_bases"]) == (".", 20)
    assert row["sense_nats_per_base"] == pytest.approx((14.5 + 0.25 + 34.5) / 2)
    assert row["antisense_nats_per_base"] == pytest.approx((14.5 + 34.5 + 0.5) / 2)


def test_genes_by_strand():
    values = np.arange(100, dtype=np.float32)
    values[12] = np.nan
    tracks = tracks_of(values)
    tracks.strand("c", True)[12] = np.nan
    genes = gene_map(gene("a", (10, 20)), gene("b", (30, 40), (50, 60), strand="-"), gene("over", (90, 120)))
    a, b, over = gene_table(genes, tracks, "min").rows(named=True)
    assert (a["coding_bases"], a["scored_bases"], a["strand"]) == (10, 9, "+")
    mean = (sum(range(10, 20)) - 12) / 9
    assert [a[name] for name in ("mean_nats_per_base", "sense_nats_per_base", "antisense_nats_per_base")] == [
        pytest.approx(mean),
        pytest.approx(mean),
        pytest.approx(mean + 0.5),
    ]
    assert (b["start"], b["end"], b["coding_bases"]) == (30, 60, 20)
    assert (b["sense_nats_per_base"], b["antisense_nats_per_base"]) == (pytest.approx(45.0), pytest.approx(44.5))
    assert (over["end"], over["coding_bases"]) == (120, 10)


def by_pairs(values, positive):
    ups, downs = values[positive], values[~positive]
    return np.mean([(up > down) + (up == down) / 2 for up in ups for down in downs])


def test_auroc_is_the_share_of_pairs_in_order():
    random = np.random.default_rng(0)
    for _ in range(10):
        values, positive = random.integers(0, 6, 40).astype(float), random.random(40) < 0.4
        weights = random.integers(0, 3, (3, 40)).astype(float)
        found = auroc(values, positive, weights)
        for own, one in zip(weights, found):
            repeated = np.repeat(np.arange(40), own.astype(int))
            assert one == pytest.approx(by_pairs(values[repeated], positive[repeated]))


def test_intervals_hold_the_value_and_shrink_with_more_blocks():
    random = np.random.default_rng(1)

    def found(count):
        positive = np.arange(count) % 2 == 0
        signals = {"good": positive + random.normal(0, 1, count), "none": random.normal(0, 1, count)}
        return separations(signals, positive, np.arange(count) // 4, "none", 0)

    few, many = found(80), found(4000)
    for one in (few, many):
        good = one["good"]["auroc"]
        assert good["low"] < good["value"] < good["high"]
        assert one["good"]["above_none"]["value"] == pytest.approx(good["value"] - one["none"]["auroc"]["value"])
        assert "above_none" not in one["none"]
    few_good, many_good = few["good"]["auroc"], many["good"]["auroc"]
    assert many_good["low"] < 0.76 < many_good["high"]  # of two normal distributions one standard deviation apart
    assert many_good["high"] - many_good["low"] < (few_good["high"] - few_good["low"]) / 4


def test_blocks_and_not_windows_are_resampled():
    """Identical windows of a block carry no more information than one of them."""
    random = np.random.default_rng(2)
    positive, value = np.arange(40) % 2 == 0, random.normal(0, 1, 40)
    once = separations({"x": value + positive}, positive, np.arange(40), "x", 0)["x"]["auroc"]
    alike = (np.repeat(one, 25) for one in (positive, np.arange(40)))
    often = separations({"x": np.repeat(value + positive, 25)}, *alike, "x", 0)
    assert often["x"]["auroc"] == pytest.approx(once)


@pytest.mark.parametrize("order", [0, 2])
def test_markov_surprise_is_counted_on_the_other_folds_and_both_strands(order, monkeypatch):
    monkeypatch.setattr(markov, "FOLD_BLOCK", 20)
    contigs = {"a": bases(90, 1) + "N" + bases(29, 2), "b": bases(50, 3)}
    model = HeldOutMarkov(order)
    for name, text in contigs.items():
        model.add(name, text)
    first = 0
    folds = {}
    for name, text in contigs.items():
        folds[name] = [(first + place // 20) % markov.FOLDS for place in range(len(text))]
        first += math.ceil(len(text) / 20)

    def strands():
        for name, text in contigs.items():
            yield text, folds[name]
            yield reverse_complement(text), folds[name][::-1]

    def one(strand, own, place):
        if place < order or "N" in strand[place - order : place + 1]:
            return None
        context, letter = strand[place - order : place], strand[place]
        seen = dict.fromkeys("ACGT", 1)
        for text, fold in strands():
            for at in range(order, len(text)):
                if text[at - order : at] == context and text[at] in seen and fold[at] != own[place]:
                    seen[text[at]] += 1
        return -math.log(seen[letter] / sum(seen.values()))

    for name, text in contigs.items():
        found = model.surprisal(name, text)
        other = reverse_complement(text)
        for place in random.Random(0).sample(range(len(text)), 25):
            pair = [one(text, folds[name], place), one(other, folds[name][::-1], len(text) - 1 - place)]
            known = [value for value in pair if value is not None]
            if known:
                assert found[place] == pytest.approx(sum(known) / len(known), rel=1e-5)
            else:
                assert np.isnan(found[place])


def annotated(count=6):
    """A genome with GC-rich genes in which the track is low, and a non-coding gene."""
    random_ = random.Random(4)
    text, genes = "", []
    for number in range(count):
        text += bases(500, number)
        genes.append(gene(f"g{number}", (len(text), len(text) + 500)))
        text += "".join(random_.choices("ACGT", weights=(1, 3, 3, 1), k=500))
    values = np.random.default_rng(0).normal(1.4, 0.3, len(text)).astype(np.float32)
    for one in genes:
        values[one.interval.start : one.interval.end] -= 0.2
    return text, values, gene_map(*genes, others=[Interval("c", 0, 210)])


def test_what_is_low_in_genes_tells_them_apart():
    text, values, genes = annotated()
    found = separation(
        genes, GeneSettings(Path("x"), window=100, order=2), [SequenceRecord("c", text)], tracks_of(values), "mean"
    )
    # The first 210 bases belong to something that is no coding gene: two windows of 100 are left of 500.
    assert found["windows"] == {"coding": 30, "intergenic": 27}
    assert (found["coding_genes"], found["other_gene_bases"]) == (6, 210)
    classes = found["separation"]
    assert classes["track"]["auroc"]["value"] > 0.95
    assert classes["track"]["direction"] == "lower in coding"
    assert classes["gc"]["auroc"]["value"] > 0.95
    assert classes["gc"]["direction"] == "higher in coding"
    assert set(classes) == {"track", "strands_min", "strands_forward", "strands_reverse", "gc", "markov2"}
    means = found["mean_nats_per_base"]
    inside = np.concatenate([values[part.start : part.end] for one in genes.coding for part in one.parts])
    assert means["coding"]["value"] == pytest.approx(inside.mean(dtype=float) + 0.25, rel=1e-5)
    assert means["coding_less_intergenic"]["value"] == pytest.approx(-0.2, abs=0.05)
    assert means["coding_less_intergenic"]["value"] == pytest.approx(
        means["coding"]["value"] - means["intergenic"]["value"]
    )


def test_windows_without_all_values_are_left_out():
    text, values, genes = annotated()
    tracks = tracks_of(values)
    for reverse in (False, True):
        tracks.strand("c", reverse)[550] = np.nan
    text = f"{text[:650]}N{text[651:]}"
    found = separation(genes, GeneSettings(Path("x"), 100, 2), [SequenceRecord("c", text)], tracks, "mean")
    assert found["windows"] == {"coding": 28, "intergenic": 27}


def test_no_windows_of_a_class():
    text, values, genes = annotated(1)
    found = separation(genes, GeneSettings(Path("x"), 400, 2), [SequenceRecord("c", text)], tracks_of(values), "mean")
    assert found["windows"] == {"coding": 1, "intergenic": 0}
    assert found["separation"] is None


def test_a_seed_below_zero_is_refused():
    with pytest.raises(InputError, match=r"seed must be from 0 to 4294967295 \(value -1\)"):
        GeneSettings(Path("x"), seed=-1)
