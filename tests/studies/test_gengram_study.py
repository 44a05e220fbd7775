"""The Gengram study: its arms are what they say, its measures know the answers, its page shows its results."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("sklearn")

from studies.gengram import report
from studies.gengram.arms import ARMS, BASE, PlainConvolution
from studies.gengram.measures import kmer_counts, lens_kl, probe_auc, window_bits
from studies.gengram.run import RESULTS
from studies.gengram.training import TOKENIZER, Size, build, train

from genolm.genome.interval import Interval
from genolm.models.gengram.gengram import Gengram
from genolm.models.networks.decoder import Decoder
from genolm.training.corpus import DocumentSpan
from genolm.training.trainer.weights import initialise

TINY = Size(context=48, rows=2, steps=3)


@pytest.fixture(scope="module")
def runs() -> list[DocumentSpan]:
    random = np.random.default_rng(0)
    ids = TOKENIZER.encode("".join(random.choice(list("ACGT"), 4000)))
    return [DocumentSpan(Interval("chr1", 0, 4000), ids)]


def test_the_wider_arm_has_as_many_weights_as_the_released_one() -> None:
    wider, released = (ARMS[name].model.parameters for name in ("wider", "released"))
    assert wider == pytest.approx(released, rel=0.01)


def test_every_arm_differs_from_the_baseline() -> None:
    base = replace(ARMS["baseline"], what="")
    assert [name for name, arm in ARMS.items() if replace(arm, what="") == base] == ["baseline"]


def test_frozen_tables_stay_and_the_rest_moves(runs: list[DocumentSpan]) -> None:
    before = build(ARMS["frozen"], 0).state_dict()
    after, _ = train(ARMS["frozen"], runs, TINY, 0)
    moved = {name: not torch.equal(before[name], weight) for name, weight in after.state_dict().items()}
    assert not any(changed for name, changed in moved.items() if ".tables." in name)
    assert all(changed for name, changed in moved.items() if ".gengram.value." in name)


def test_the_convolution_takes_the_place_of_the_memories(runs: list[DocumentSpan]) -> None:
    network = build(ARMS["convolution"], 0)
    kinds = [type(layer.gengram) for layer in network.layers]
    assert kinds == [type(None), PlainConvolution, PlainConvolution, type(None), PlainConvolution, type(None)]
    ids = torch.from_numpy(runs[0].ids[:60].astype(np.int64))[None]
    other = ids.clone()
    other[0, 40] = 5 if ids[0, 40] != 5 else 6
    with torch.inference_mode():
        one, two = (network(x).logits_BLV for x in (ids, other))
    assert one is not None and two is not None
    torch.testing.assert_close(one[:, :40], two[:, :40], atol=1e-6, rtol=1e-5)
    assert not torch.allclose(one[:, 40:], two[:, 40:], atol=1e-4)


def test_arms_see_the_same_rows_and_repeat_to_the_bit(runs: list[DocumentSpan]) -> None:
    _, one = train(ARMS["baseline"], runs, TINY, 5)
    _, two = train(ARMS["baseline"], runs, TINY, 5)
    assert one["training_bits_per_base"] == two["training_bits_per_base"]


def test_a_small_start_is_the_baseline_at_step_zero(runs: list[DocumentSpan]) -> None:
    ids = torch.from_numpy(runs[0].ids[:64].astype(np.int64))[None]
    network = build(ARMS["small start"], 0)
    with torch.inference_mode():
        logits = network(ids).logits_BLV
        for layer in network.layers:
            layer.gengram = None
        torch.testing.assert_close(network(ids).logits_BLV, logits, atol=1e-6, rtol=1e-6)


def test_bits_of_a_network_that_knows_nothing_are_two(runs: list[DocumentSpan]) -> None:
    network = initialise(Decoder(replace(BASE, num_layers=1)), 0)
    torch.nn.init.zeros_(network.head.weight)
    bits = window_bits(network.eval(), np.stack([runs[0].ids[:65], runs[0].ids[65:130]]))
    np.testing.assert_allclose(bits, 2.0, atol=1e-6)
    assert lens_kl(network, runs[0].ids[None, :65]) == [0.0]


def test_a_probe_finds_what_is_there_and_nothing_in_noise() -> None:
    random = np.random.default_rng(1)
    labels = random.integers(0, 2, 400)
    noise = random.normal(size=(400, 8)).astype(np.float32)
    signal = noise + labels[:, None]
    assert probe_auc(signal[:200], labels[:200], signal[200:], labels[200:]) > 0.9
    assert abs(probe_auc(noise[:200], labels[:200], noise[200:], labels[200:]) - 0.5) < 0.1
    assert abs(probe_auc(signal[:200], random.permutation(labels[:200]), signal[200:], labels[200:]) - 0.5) < 0.4


def test_kmer_counts_count() -> None:
    counts = kmer_counts(["AAAAC"], order=2)[0]
    assert (counts[0], counts[1]) == (0.75, 0.25)


def test_intervals_are_those_of_a_textbook() -> None:
    mean, half = report.over_seeds([1.0, 2.0, 3.0])
    assert (mean, half) == pytest.approx((2.0, 4.303 / 3**0.5), rel=1e-3)


def test_every_family_of_arms_has_a_memory_where_it_says() -> None:
    for arm in ARMS.values():
        network = build(arm, 0)
        found = tuple(i + 1 for i, layer in enumerate(network.layers) if isinstance(layer.gengram, Gengram))
        assert arm.convolution or found == (arm.model.gengram.layers if arm.model.gengram else ())


def test_the_page_shows_the_results() -> None:
    if not RESULTS.exists():
        pytest.fail("studies/gengram/results.json is part of the repository")
    page = Path(report.PAGE).read_text("utf-8")
    assert page == report.filled(page, json.loads(RESULTS.read_text("utf-8")))
