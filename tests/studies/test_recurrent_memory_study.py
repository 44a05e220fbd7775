"""The study of recurrent memory: its task is what it says, its curriculum moves on, its page shows its results."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from studies.recurrent_memory import report
from studies.recurrent_memory.needle import MOTIF, Needle, motifs, tokenizer
from studies.recurrent_memory.run import RESULTS
from studies.recurrent_memory.training import Curriculum, Plan, build, right_answers, train

TINY = Plan(content=16, stages=(1, 2), rows=4, least=2, most=8)


def found(ids: torch.Tensor) -> list[list[int]]:
    """Where each motif stands in the bases of some tokens."""
    bases = tokenizer().decode(ids.numpy())
    return [[i for i in range(len(bases) - MOTIF + 1) if bases.startswith(motif, i)] for motif in motifs()]


@pytest.mark.parametrize("decoys", [0.0, 1.0])
def test_the_first_segment_holds_the_motif_of_the_label_and_no_other(decoys: float) -> None:
    needle = Needle(24, 5, decoys)
    ids_BL, labels_B = needle.batch(np.random.default_rng(3), 24)
    assert ids_BL.shape == (24, 24 * 5)
    assert 0 < labels_B.sum() < 24
    for ids, label in zip(ids_BL, labels_B.tolist(), strict=True):
        first = found(ids[:24])
        assert len(first[label]) == 1
        assert not first[1 - label]
        later = sum(map(len, found(ids))) - 1
        assert later == 0 if decoys == 0 else 2 <= later <= 4  # one may have been cut off with the last tokens


def test_decoys_know_nothing_of_the_label() -> None:
    ids_BL, labels_B = Needle(24, 3, 1.0).batch(np.random.default_rng(5), 60)
    agree = [bool(found(ids[24:])[label]) for ids, label in zip(ids_BL, labels_B.tolist(), strict=True)]
    other = [bool(found(ids[24:])[1 - label]) for ids, label in zip(ids_BL, labels_B.tolist(), strict=True)]
    assert 25 < sum(agree) < 60
    assert 25 < sum(other) < 60


def test_a_stage_ends_by_its_accuracy_or_by_its_schedule() -> None:
    state = Curriculum(replace(TINY, least=60))
    steps = 0
    while len(state.steps) == 1:
        state.note(1.0)
        steps += 1
    assert steps == 63  # 0.5 * 0.95**n falls below 0.02
    for _ in range(200):
        state.note(0.5)
    assert not state.ended
    planned = Curriculum(TINY, [3, 2])
    for _ in range(5):
        assert not planned.ended
        planned.note(0.0)
    assert planned.ended
    assert planned.steps == [3, 2, 0]


def test_batches_have_at_most_the_segments_of_the_stage() -> None:
    state, random = Curriculum(Plan(), steps=[9, 9, 0]), np.random.default_rng(0)
    lengths = [state.segments(random) for _ in range(200)]
    assert set(lengths) == {1, 2, 3}
    assert lengths.count(3) > 140


def test_training_repeats_to_the_bit_and_the_arms_share_their_start() -> None:
    one, told = train(TINY, 4)
    other, again = train(TINY, 4)
    assert told["stage_steps"] == again["stage_steps"]
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    with_memory, without = build(TINY, 4), build(replace(TINY, memory=0), 4)
    assert (with_memory.start.shape[0], without.start.shape[0]) == (4, 0)
    shapes = [
        {name: weight.shape for name, weight in own.named_parameters() if "embedding.tokens" not in name}
        for own in (with_memory, build(replace(TINY, content=20, memory=0), 4))
    ]
    assert shapes[0] == shapes[1]


def test_forgetting_is_reading_the_last_segment_alone() -> None:
    own, needle = build(TINY, 1).eval(), Needle(16, 3)
    ids_BL, labels_B = needle.batch(np.random.default_rng((9, 1)), 40)
    with torch.inference_mode():
        alone = int((own(ids_BL[:, -16:]).labels.argmax(1) == labels_B).sum())
        whole = int((own(ids_BL).labels.argmax(1) == labels_B).sum())
    assert right_answers(own, needle, 40, 9, forget=True) == alone
    assert right_answers(own, needle, 40, 9) == whole


def test_intervals_are_those_of_a_textbook() -> None:
    assert report.wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)  # Newcombe 1998
    low, high = report.wilson(10, 10)
    assert low == pytest.approx(0.7225, abs=1e-4)
    assert high == pytest.approx(1.0)


def test_the_page_shows_the_results() -> None:
    page = Path(report.PAGE).read_text("utf-8")
    assert page == report.filled(page, json.loads(RESULTS.read_text("utf-8")))


def test_what_the_study_says_is_so() -> None:
    told = json.loads(RESULTS.read_text("utf-8"))
    for task in {run["task"] for run in told["runs"]}:
        for segments in (8, 12, 16, 32):
            right = report.right_of(told, task, "memory", segments)
            assert len(right) == 3
            assert min(right) >= 0.95 * told["runs"][0]["tested"]
            for arm in ("memory forgotten", "no memory"):
                other = report.right_of(told, task, arm, segments)
                assert report.wilson(sum(other), 3 * told["runs"][0]["tested"])[1] < 0.55
