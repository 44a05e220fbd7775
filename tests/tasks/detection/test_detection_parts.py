"""Figures against scikit-learn's, calibration, hand-made features of known sequences."""

import numpy as np
import pytest

from genolm.statistics.auroc import auroc
from genolm.tasks.detection.classifier import calibrated, fit, sigmoid
from genolm.tasks.detection.detector_features import (
    HANDMADE_NAMES,
    handmade_features,
    kmer_features,
    longest_open_frame,
)
from genolm.tasks.detection.detector_metrics import Outcome, length_bins, scores, with_intervals
from genolm.tasks.detection.genome_folds import has_settings

metrics = pytest.importorskip("sklearn.metrics")


def toy(count: int = 400, seed: int = 0):
    random = np.random.default_rng(seed)
    truth = random.random(count) < 0.4
    return truth, sigmoid(random.normal(size=count) + 1.5 * truth).round(2)  # rounded: with ties


def said(told: np.ndarray, threshold: float = 0.5) -> Outcome:
    """What a detector says whose scores are its probabilities."""
    return Outcome(told, told, told > threshold)


def test_figures_are_those_of_scikit_learn():
    truth, told = toy()
    found = scores(said(told, 0.6), truth)
    assert found.auroc == pytest.approx(metrics.roc_auc_score(truth, told))
    assert found.f1 == pytest.approx(metrics.f1_score(truth, told > 0.6))
    assert found.f1_at_half == pytest.approx(metrics.f1_score(truth, told > 0.5))
    assert found.tpr == pytest.approx(metrics.recall_score(truth, told > 0.6))
    weights = np.where(truth, 0.5 / truth.mean(), 0.5 / (~truth).mean())
    assert found.brier == pytest.approx(metrics.brier_score_loss(truth, told, sample_weight=weights))


def test_rates_are_never_exceeded():
    truth, told = toy(2000)
    found = scores(said(told), truth)
    for rate, caught in ((0.01, found.tpr_at_1), (0.05, found.tpr_at_5)):
        least = min(threshold for threshold in told if (told[~truth] > threshold).mean() <= rate)
        assert caught == pytest.approx((told[truth] > least).mean())


def test_one_kind_alone_has_no_figures():
    assert np.isnan(scores(said(np.array([0.5])), np.array([True]))).all()


def test_a_flat_calibration_hides_no_order_of_scores():
    truth, told = toy()
    flat = Outcome(told, np.full(len(told), 0.5), np.zeros(len(told), bool))
    found, real = scores(flat, truth), scores(said(told), truth)
    assert (found.auroc, found.tpr_at_1, found.tpr_at_5) == (real.auroc, real.tpr_at_1, real.tpr_at_5)
    assert found.auroc > 0.6 and found.brier == 0.25 and found.tpr == found.fpr == 0


def test_intervals_hold_the_figure_and_whole_genomes_are_drawn():
    truth, told = toy()
    single = with_intervals(said(told), truth, np.arange(400), 0)
    assert single["auroc_low"] < single["auroc"] < single["auroc_high"]
    few = with_intervals(said(told), truth, np.repeat(np.arange(4), 100), 0)
    assert few["natural"] + few["generated"] == 400
    one = with_intervals(said(told), truth, np.zeros(400, int), 0)
    assert one["auroc"] == single["auroc"] and one["auroc_low"] is None


def test_calibration_finds_the_slope_that_scores_were_made_with():
    random = np.random.default_rng(0)
    odds = random.normal(0, 2, 40_000)
    truth = random.random(40_000) < sigmoid(odds)
    slope, offset = calibrated(odds / 7 + 3, truth)
    assert slope == pytest.approx(7, rel=0.05) and offset == pytest.approx(-21, rel=0.05)
    assert calibrated(-odds, truth) == (0.0, 0.0)


def test_a_classifier_finds_a_line_and_keeps_its_rate():
    random = np.random.default_rng(1)
    truth = random.random(1200) < 0.5
    features = random.normal(size=(1200, 3)) * [1, 10, 0] + np.outer(truth, [1.5, 0, 0])
    fold = np.arange(1200) % 4
    found = fit(features, truth, fold, 0.05)
    told = found.probability(features)
    assert auroc(told, truth)[0] == auroc(found.score(features), truth)[0] == pytest.approx(0.855, abs=0.03)
    assert not found.flat
    assert (told[~truth] > found.threshold).mean() == pytest.approx(0.05, abs=0.02)
    assert abs(found.weight_F[0]) > 5 * abs(found.weight_F[1]) and found.scale_F[2] == 1


def test_bins_of_lengths_are_named_by_their_ends():
    lengths = np.array([10, 199, 200, 700])
    found = {name: inside.tolist() for name, inside in length_bins(lengths, (200, 500))}
    assert found == {"0-199": [True, True, False, False], "200-499": [False, False, True, False],
                     "500-700": [False, False, False, True]}  # fmt: skip


def test_hand_made_features_of_known_sequences():
    names = list(HANDMADE_NAMES)
    plain, coding = handmade_features(["ACGT" * 25, "GCAGCAGAA" * 12])
    assert len(plain) == len(names) == 9 + 32 + 136
    told = dict(zip(names, plain))
    assert told["gc"] == 0.5 and told["tandem"] == 1.0 and told["long_tandem"] == 1.0
    assert told["homopolymer"] == 0.01 and told["open_frame"] == 0.99
    assert plain[-136:].sum() == pytest.approx(1)
    np.testing.assert_array_equal(plain[-136:], kmer_features(["ACGT" * 25])[0])
    assert dict(zip(names, coding))["period_3"] > 0.3
    assert np.isfinite(handmade_features(["A", "N", "ACG"])).all()


@pytest.mark.parametrize(
    ("sequence", "longest"), [("ATGTAAGGCCCC", 12), ("TAA" * 5, 15), ("A", 0), ("GGTTAACC", 6), ("GCTAAGC" * 9, None)]
)
def test_open_frames_end_at_stops(sequence, longest):
    assert longest_open_frame(sequence) == by_reading(sequence) == (longest or by_reading(sequence))


def by_reading(sequence: str) -> int:
    """Codon by codon, in six frames."""
    best = 0
    for strand in (sequence, sequence[::-1].translate(str.maketrans("ACGT", "TGCA"))):
        for frame in range(3):
            open_bases = 0
            for place in range(frame, len(strand) - 2, 3):
                open_bases = 0 if strand[place : place + 3] in ("TAA", "TAG", "TGA") else open_bases + 3
                best = max(best, open_bases)
    return best


@pytest.mark.parametrize(
    ("wanted", "has"),
    [
        ("temperature=1.0 top_k=0", True),
        ("top_k=0  temperature=1.0", True),
        ("temperature=1.0 top_k=0 top_p=1.0 repetition_penalty=1.0", True),
        ("temperature=1", False),
        ("temperature=1.0 top_k=5", False),
        ("", False),
    ],
)
def test_some_settings_stand_for_all_decodings_that_have_them(wanted, has):
    assert has_settings("temperature=1.0 top_k=0 top_p=1.0 repetition_penalty=1.0", wanted) is has
