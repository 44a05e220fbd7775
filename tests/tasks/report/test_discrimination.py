from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genolm.errors import InputError
from genolm.genome.fasta import Genome
from genolm.genome.interval import Interval
from genolm.tasks.report.discrimination import auroc, composition_scores
from genolm.tasks.report.scored_variants import ScoredAllele


@pytest.mark.parametrize(
    ("positives", "negatives", "expected"),
    [
        ([2, 3], [0, 1], 1.0),
        ([0, 1], [2, 3], 0.0),
        ([1], [1], 0.5),
        ([1, 3], [2, 2], 0.5),
        ([1, 2], [1, 0, 3], 3.5 / 6),
    ],
)
def test_known_areas(positives: list[float], negatives: list[float], expected: float) -> None:
    area = auroc(positives, negatives)
    assert area.value == pytest.approx(expected)
    assert (area.positives, area.negatives) == (len(positives), len(negatives))


@given(
    st.lists(st.integers(-5, 5), min_size=1, max_size=12),
    st.lists(st.integers(-5, 5), min_size=1, max_size=12),
)
def test_area_is_the_share_of_pairs_won(positives: list[int], negatives: list[int]) -> None:
    won = np.mean([(one > other) + (one == other) / 2 for one in positives for other in negatives])
    area = auroc(positives, negatives, resamples=20)
    assert area.value == pytest.approx(won)
    assert area.value + auroc(negatives, positives, resamples=1).value == pytest.approx(1)


def test_interval_shrinks_with_data_holds_the_value_and_is_reproducible() -> None:
    random = np.random.default_rng(0)
    widths = []
    for count in (20, 500):
        area = auroc(random.normal(1, 1, count), random.normal(0, 1, count), seed=3)
        assert area.low < area.value < area.high
        widths.append(area.high - area.low)
    assert widths[1] < widths[0] / 2
    assert auroc([1, 2, 3], [2, 1], seed=5) == auroc([1, 2, 3], [2, 1], seed=5)
    assert str(auroc([1], [0])) == "1.000 (1.000 to 1.000)"


def test_the_interval_covers_chance_about_95_times_in_100() -> None:
    random = np.random.default_rng(1)
    areas = [auroc(random.normal(size=40), random.normal(size=40), resamples=200, seed=n) for n in range(100)]
    assert 85 <= sum(area.low <= 0.5 <= area.high for area in areas) <= 100


def test_an_empty_class_is_an_error() -> None:
    with pytest.raises(InputError, match="at least one positive and one negative"):
        auroc([], [1.0])


@pytest.fixture
def genome(tmp_path: Path) -> Genome:
    path = tmp_path / "g.fa"
    path.write_text(">c\n" + "ACGT" * 100 + "\n")
    return Genome(path)


def test_composition_prefers_what_the_genome_is_made_of(genome: Genome) -> None:
    region = Interval("c", 0, 400)
    alleles = [
        ScoredAllele("c", 101, "A", "C", -1.0),
        ScoredAllele("c", 101, "A", "ACGTA", -1.0),
        ScoredAllele("c", 101, "A", "<DEL>", None),
        ScoredAllele("c", 101, "A", "*", None),
        ScoredAllele("unknown", 101, "A", "C", None),
    ]
    broken, repeated, *unscored = composition_scores(genome, alleles, [region])
    assert broken is not None and broken < -9  # four words that do not occur
    assert repeated == pytest.approx(0, abs=1e-9)  # one unit more changes nothing
    assert unscored == [None, None, None]


def test_composition_is_the_same_on_both_strands(tmp_path: Path) -> None:
    text = "".join(np.random.default_rng(0).choice(list("AACGT"), 600))
    path = tmp_path / "g.fa"
    path.write_text(f">c\n{text}\n")
    genome = Genome(path)
    forward = composition_scores(
        genome, [ScoredAllele("c", 300, text[299], "G" if text[299] != "G" else "C", 0.0)], [Interval("c", 0, 600)]
    )
    backward = composition_scores(
        genome, [ScoredAllele("c", 300, text[299], "G" if text[299] != "G" else "C", 0.0)], [Interval("c", 0, 600, "-")]
    )
    assert forward == backward
