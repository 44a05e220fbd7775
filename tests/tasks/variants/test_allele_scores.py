"""Scores of the sites of a tile: known values from a simple network, and the number of passes."""

import math

import numpy as np
import pytest
import torch

from genolm.engine.windows import Window
from genolm.models.card import Card
from genolm.models.model import Model
from genolm.models.networks.decoder import Decoder
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.random_weights import random_decoder
from genolm.tasks.reading.allele_strands import Site
from genolm.tasks.variants.allele_scores import TileSites, score_sites, score_suffixes
from genolm.tokens import NucleotideTokenizer


@pytest.fixture(autouse=True)
def _inference():
    with torch.inference_mode():
        yield


LOG_PROBS = dict(zip("ACGT", np.log([0.1, 0.2, 0.3, 0.4])))


@pytest.fixture(scope="module")
def model():
    config = DecoderConfig(128, 32, 2, 4, 2, 8, 48, num_experts=4, experts_per_token=2, rope_theta=5e7)
    return Model(random_decoder(config, 3), NucleotideTokenizer(), Card("toy"))


@pytest.fixture(scope="module")
def constant():
    """A network with constant probabilities .1, .2, .3 and .4 of A, C, G and T."""
    tokenizer = NucleotideTokenizer()
    network = Decoder(DecoderConfig(128, 8, 1, 2, 1, 4, 8, norm_eps=1e-12))
    with torch.no_grad():
        for weight in network.parameters():
            weight.zero_()
        network.embedding.weight[:, 0] = 1.0
        network.norm.weight[0] = 1.0
        network.head.weight[:, 0] = 0.7
        for base, identifier in zip("ACGT", tokenizer.base_ids):
            network.head.weight[identifier, 0] = float(LOG_PROBS[base]) / math.sqrt(8)
    return Model(network, tokenizer, Card("constant"))


def window(sequence, *sites, start=0, reverse=False):
    return Window(sequence, TileSites(reverse, start, tuple(Site(*site) for site in sites), tuple(range(len(sites)))))


def test_site_scores_are_log_ratios_of_the_two_bases(constant):
    (scores,) = score_sites(constant, [window("GGANTC", (2, "T"), (5, "G"), (4, "A"))])
    expected = [math.log(0.4 / 0.1), math.log(0.3 / 0.2), math.log(0.1 / 0.4)]
    np.testing.assert_allclose(scores.scores_N, expected, atol=1e-5)
    assert scores.counted_N2.tolist() == [[1, 1]] * 3


def test_suffix_scores_leave_n_out_of_either_sum(constant):
    sites = (1, "CCT"), (2, "ANC"), (3, "TTT"), (3, "G")
    (scores,) = score_suffixes(constant, [window("GATNCC", *sites)])
    a, c, g, t = LOG_PROBS.values()
    expected = [c + c + t - (a + t), a + c - (t + c), 3 * t - 2 * c, g]
    np.testing.assert_allclose(scores.scores_N, expected, atol=1e-5)
    assert scores.counted_N2.tolist() == [[2, 3], [2, 2], [2, 3], [0, 1]]


def test_positions_count_from_the_beginning_of_the_strand(model):
    here, there = (window("GATTACAGATTACA", (7 + start, "T"), start=start) for start in (0, 5000))
    for score in (score_sites, score_suffixes):
        np.testing.assert_array_equal(score(model, [here])[0].scores_N, score(model, [there])[0].scores_N)


def test_tiles_side_by_side_are_scored_as_alone(model):
    tiles = [window("GATTACAGGT", (4, "T"), (7, "A")), window("CCGTA", (1, "G")), window("TTNNTTACGACGT", (12, "C"))]
    for score in (score_sites, score_suffixes):
        for together, tile in zip(score(model, tiles), tiles):
            np.testing.assert_allclose(together.scores_N, score(model, [tile])[0].scores_N, atol=1e-5)


def test_a_suffix_of_one_base_is_the_site(model):
    tile = window("GATTACAGGT", (4, "T"), (7, "A"), (1, "C"))
    site, suffix = (score(model, [tile])[0].scores_N for score in (score_sites, score_suffixes))
    np.testing.assert_allclose(suffix, site, atol=1e-6)


class Recorded:
    """Wrapper of a network that records calls."""

    def __init__(self, network):
        self.network, self.caches, self.branches, self.passes, self.headed = network, [], [], [], 0

    def __getattr__(self, name):
        return getattr(self.network, name)

    def __call__(self, ids, **settings):
        self.passes.append(tuple(ids.shape))
        self.caches.append(settings.get("cache"))
        return self.network(ids, **settings)

    def branch(self, ids, starts, cache, rows=None):
        self.branches.append(tuple(ids.shape))
        return self.network.branch(ids, starts, cache, rows=rows)

    def head(self, x):
        self.headed += len(x)
        return self.network.head(x)


@pytest.fixture
def recorded(model, monkeypatch):
    recorder = Recorded(model.network)
    monkeypatch.setattr(model, "network", recorder)
    return recorder


def test_sites_share_one_pass_without_cache_and_the_head_only_sees_them(model, recorded):
    score_sites(model, [window("ACGT" * 50, *((start, "A") for start in range(1, 41))), window("GATTACA", (1, "T"))])
    assert recorded.passes == [(2, 200)]
    assert recorded.caches == [None]
    assert recorded.headed == 41


def test_suffixes_share_one_pass_and_cost_their_own_length(model, recorded):
    sites = [(start, "A" * 100) for start in range(1, 101)]
    score_suffixes(model, [window("ACGT" * 50, *sites)])
    assert recorded.passes == [(1, 200)]
    assert sum(rows for rows, _ in recorded.branches) == 100
    assert all(width == 99 and rows * width <= 4096 for rows, width in recorded.branches)


def test_shorter_suffixes_are_not_padded_to_one_long_one(model, recorded):
    sites = [(1, "A" * 4000), *((start, "A" * 10) for start in range(1, 101))]
    score_suffixes(model, [window("ACGT" * 1010, *sites)])
    assert (1, 3999) in recorded.branches
    assert sum(rows * width for rows, width in recorded.branches) < 5500


def test_suffixes_of_several_tiles_are_batched_and_equal_single_tiles(model, recorded):
    tiles = [
        window("ACGTTGCAAC" * 4, (12, "G"), (9, "T")),
        window("GATTACAGGT" * 2, (4, "TT")),
        window("ACCA", (2, "G")),
    ]
    together = score_suffixes(model, tiles)
    assert len(recorded.passes) == 1 and len(recorded.branches) == 1
    for tile, scores in zip(tiles, together, strict=True):
        alone = score_suffixes(model, [tile])[0]
        np.testing.assert_allclose(scores.scores_N, alone.scores_N, atol=1e-5)
        np.testing.assert_array_equal(scores.counted_N2, alone.counted_N2)
