"""Figures of agreement against scikit-learn's, with noise as clusters of one, and their intervals."""

import numpy as np
import pytest

from genolm.tasks.clustering.agreement import agreement, intervals

metrics = pytest.importorskip("sklearn.metrics")


def toy(seed: int, labels: int = 4, clusters: int = 5, count: int = 120):
    random = np.random.default_rng(seed)
    truth = random.integers(labels, size=count)
    found = np.where(random.random(count) < 0.6, truth, random.integers(-1, clusters, size=count))
    return truth, found


def singletons(found: np.ndarray) -> np.ndarray:
    alone = found < 0
    return np.where(alone, 1000 + np.arange(len(found)), found)


@pytest.mark.parametrize("seed", range(5))
def test_figures_are_those_of_scikit_learn(seed):
    truth, found = toy(seed)
    ours, split = agreement(truth, found), singletons(found)
    assert ours.ari == pytest.approx(metrics.adjusted_rand_score(truth, split))
    assert ours.homogeneity == pytest.approx(metrics.homogeneity_score(truth, split))
    assert ours.completeness == pytest.approx(metrics.completeness_score(truth, split))
    assert ours.v_measure == pytest.approx(metrics.v_measure_score(truth, split))
    table = metrics.cluster.contingency_matrix(truth, split)
    assert ours.purity == pytest.approx(table.max(0).sum() / len(truth))
    assert ours.noise == pytest.approx((found < 0).mean())


def test_weights_are_copies():
    truth, found = toy(7)
    found = np.abs(found)
    weights = np.random.default_rng(0).integers(0, 4, len(truth))
    weighted = agreement(truth, found, weights)
    assert weighted == pytest.approx(agreement(truth.repeat(weights), found.repeat(weights)))


@pytest.mark.parametrize(
    ("found", "ari"), [([0, 0, 1, 1], 1.0), ([1, 1, 0, 0], 1.0), ([0, 0, 0, 0], 0.0), ([-1, -1, -1, -1], 0.0)]
)
def test_perfect_none_and_noise(found, ari):
    assert agreement(np.array([0, 0, 1, 1]), np.array(found)).ari == pytest.approx(ari)


def test_shuffled_labels_agree_by_chance():
    truth, found = toy(3, count=600)
    random = np.random.default_rng(1)
    assert agreement(truth, found).ari > 0.2
    assert np.mean([agreement(random.permutation(truth), found).ari for _ in range(20)]) == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("over", ["genomes", "fragments"])
def test_intervals_hold_the_figure_and_shrink_with_the_count(over):
    widths = []
    for count in (120, 2000):
        truth, found = toy(5, count=count)
        genomes = np.arange(count) % (count // 10)
        found_interval = intervals(truth, found, genomes, over, 0)
        assert found_interval.low.ari < agreement(truth, found).ari < found_interval.high.ari
        widths.append(found_interval.high.ari - found_interval.low.ari)
    assert widths[1] < widths[0] / 2


def test_one_genome_has_no_interval_over_genomes():
    truth, found = toy(1)
    assert intervals(truth, found, np.zeros(len(truth), int), "genomes", 0) is None
    assert intervals(truth, found, np.zeros(len(truth), int), "fragments", 0) is not None
