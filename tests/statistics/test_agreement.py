"""Figures of agreement against scikit-learn's, with noise as clusters of one, and the interval of the index."""

import numpy as np
import pytest

from genolm.statistics.agreement import agreement, ari_interval

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
def test_the_interval_holds_the_index_and_shrinks_with_the_count(over):
    widths = []
    for count in (120, 2000):
        truth, found = toy(5, count=count)
        low, high = ari_interval(truth, found, np.arange(count) % (count // 10), over, 0)
        assert low < agreement(truth, found).ari < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


@pytest.mark.parametrize("over", ["genomes", "fragments"])
@pytest.mark.parametrize("size", [5, 10, 30])
def test_random_clusters_agree_by_chance_and_their_interval_says_so(over, size):
    random = np.random.default_rng(size)
    labels = np.repeat(np.arange(10), 30)
    for seed in range(5):
        found = random.permutation(np.repeat(np.arange(300 // size), size))
        low, high = ari_interval(labels, found, labels, over, seed)
        assert low <= agreement(labels, found).ari <= high
        assert low < 0.005 and high > -0.005


@pytest.mark.parametrize("genomes", [8, 31])
@pytest.mark.parametrize("over", ["genomes", "fragments"])
def test_the_interval_is_not_shifted_where_each_genome_is_a_label(over, genomes):
    random = np.random.default_rng(3)
    labels = np.repeat(np.arange(genomes), 50)
    found = np.where(random.random(len(labels)) < 0.5, labels, random.integers(genomes, size=len(labels)))
    low, high = ari_interval(labels, found, labels, over, 0)
    value = agreement(labels, found).ari
    assert low < value < high and (low + high) / 2 == pytest.approx(value, rel=0.05)


@pytest.mark.parametrize("over", ["genomes", "fragments"])
def test_few_fragments_shift_nothing(over):
    random = np.random.default_rng(4)
    labels = np.repeat(np.arange(40), 3)
    found = np.where(random.random(120) < 0.6, labels, random.integers(40, size=120))
    low, high = ari_interval(labels, found, labels, over, 0)
    assert low < agreement(labels, found).ari < high


def test_a_draw_of_one_label_says_nothing():
    labels = np.repeat(np.arange(3), 50)
    found = labels.copy()
    found[0] = 1
    low, high = ari_interval(labels, found, labels, "genomes", 0)
    assert 0.9 < low <= agreement(labels, found).ari <= high


def test_too_few_genomes_have_no_interval_over_genomes():
    truth, found = toy(1)
    assert ari_interval(truth, found, np.zeros(len(truth), int), "genomes", 0) is None
    assert ari_interval(truth, found, np.zeros(len(truth), int), "fragments", 0) is not None
    two = np.repeat([0, 1], 20)  # the only draw with both labels is the two genomes themselves
    assert ari_interval(two, two, two, "genomes", 0) is None
