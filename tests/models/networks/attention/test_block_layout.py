"""Layouts of blocks: what each pattern lets a row of blocks see, and that drawing them touches nobody's generator."""

import json
import math

import numpy as np
import pytest
import torch
from tests.golden_sets.comparison import existing, load
from torch import Tensor

from genolm.errors import ModelError
from genolm.models.networks.attention.block_layout import (
    BlockLayout,
    deepspeed_layout,
    full_up_to,
    sampled_layout,
    seeded_blocks,
    seeded_plan,
    zero_blocks,
)
from genolm.models.networks.attention.block_sparse import block_attention_weights


def counts(layout: BlockLayout, heads: int = 1) -> Tensor:
    """How often each row of blocks counts each column, (heads, blocks, blocks): equal scores share the weight so."""
    tokens = layout.num_blocks * layout.block
    zeros = torch.zeros(heads, tokens, 4)
    weights = block_attention_weights(zeros, zeros, layout)[:, :: layout.block, :: layout.block]
    return (weights / weights[:, :, layout.num_blocks - 1 :]).round(decimals=3)  # every row sees the last column once


def test_zero_blocks_are_first_last_and_window_with_block_0_counted_more_often() -> None:
    seen = counts(zero_blocks(12 * 4, 4, 3))[0]
    expected = torch.zeros(12, 12)
    expected[[0, 11]] = 1
    for row in range(1, 11):
        expected[row, row - 1 : row + 2] = 1
        expected[row, 11] = 1
        expected[row, 0] = 4
    assert torch.equal(seen, expected)


@pytest.mark.parametrize("num_random", [0, 1, 3])
def test_full_attention_ends_at_five_blocks_and_two_for_each_random_one(num_random: int) -> None:
    limit = full_up_to(4, num_random)
    assert limit == (5 + 2 * num_random) * 4
    assert (counts(zero_blocks(limit, 4, num_random)) == 1).all()
    layout = zero_blocks(limit + 1, 4, num_random)
    assert (layout.first, layout.stop) == (1, layout.num_blocks - 1)
    drawn = seeded_blocks(limit + 1, 4, num_random, heads=2, layer=0, max_tokens=4096)
    assert (drawn.first, drawn.stop) == (1, drawn.num_blocks - 1)


def test_the_published_class_is_full_up_to_704_tokens() -> None:
    assert full_up_to(64, 3) == 704


def test_seeded_blocks_count_a_random_block_beside_the_fixed_ones() -> None:
    heads, blocks = 3, 20
    seen = counts(seeded_blocks(blocks * 4, 4, 3, heads=heads, layer=2, max_tokens=4096), heads)
    plan = seeded_plan(blocks, heads, 4, 3, 2, 4096)
    fixed = counts(zero_blocks(blocks * 4, 4, 0))[0]
    for head in range(heads):
        for row in range(1, blocks - 1):
            expected = fixed[row].clone()
            for column in plan[head, row - 1]:
                expected[column] += 1
            assert torch.equal(seen[head, row], expected)


def test_a_random_block_that_is_a_fixed_one_already_counts_twice() -> None:
    plan = seeded_plan(16, 12, 64, 3, 0, 4096)
    last = [(head, row) for head in range(12) for row in range(14) if 15 in plan[head, row]]
    assert last  # the paper's plan draws the last block of 1024 tokens
    head, row = last[0]
    layout = seeded_blocks(1024, 64, 3, heads=12, layer=0, max_tokens=4096)
    zeros = torch.zeros(12, 1024, 4)
    weights = block_attention_weights(zeros, zeros, layout)[head, (row + 1) * 64]
    assert weights[15 * 64] == pytest.approx(2 * weights[(row + 1) * 64].item())


@pytest.mark.golden
def test_plans_are_the_published_ones(golden_dir) -> None:
    for name, plan in load(golden_dir / "gena-bigbird" / "plans_seeded.safetensors").items():
        tokens, block, random, heads = (int(part.strip("Lblockrheads")) for part in name.split("_"))
        for layer, expected in enumerate(plan):
            found = seeded_plan(tokens // block, heads, block, random, layer, 4096)
            assert np.array_equal(found, expected.numpy()), (name, layer)


@pytest.mark.golden
@pytest.mark.parametrize("run", ["sparse", "unaligned", "block64", "len1024"])
def test_plans_are_those_of_the_published_runs(golden_dir, run: str) -> None:
    topic = existing(golden_dir / "gena-bigbird")
    expected = load(topic / f"run_{run}_seeded.safetensors")["rand_attn_plan"]
    config = json.loads((topic / "config.json").read_text())
    heads, blocks, random = expected.shape[1], expected.shape[2] + 2, expected.shape[3]
    block, longest = config["runs"][run]["block"], config["hf_config"]["max_position_embeddings"]
    for layer, plan in enumerate(expected):
        assert np.array_equal(seeded_plan(blocks, heads, block, random, layer, longest), plan.numpy())


def test_drawing_leaves_the_global_generators_as_they_were() -> None:
    np.random.seed(5)
    torch.manual_seed(5)
    before, torch_before = np.random.get_state()[1].copy(), torch.get_rng_state()
    seeded_plan.cache_clear()
    seeded_plan(20, 2, 4, 3, 0, 4096)
    seeded_plan(16, 2, 64, 3, 0, 4096)
    sampled_layout(2, 16, 0)
    assert np.array_equal(np.random.get_state()[1], before)
    assert torch.equal(torch.get_rng_state(), torch_before)


def test_a_plan_cannot_be_changed_in_the_cache() -> None:
    with pytest.raises(ValueError, match="read-only"):
        seeded_plan(20, 2, 4, 3, 0, 4096)[0] = 0


def test_too_few_blocks_to_draw_from_is_an_error() -> None:
    with pytest.raises(ModelError, match="eligible blocks"):
        seeded_plan(1024 // 128, 1, 128, 7, 0, 1024)


def test_a_drawn_layout_follows_deepspeeds_rules() -> None:
    layout = sampled_layout(3, 40, seed=1)
    assert layout.dtype == torch.uint8
    assert layout[:, :2].all()
    assert layout[:, :, :2].all()
    for offset in (-1, 0, 1):
        assert layout.diagonal(offset, 1, 2).all()
    assert int(layout[:, 2:].sum(-1).max()) == 8  # two global, three of the window, three random
    assert int(layout[:, 3:-1].sum(-1).min()) >= 5
    assert not torch.equal(layout[0], layout[1])
    assert torch.equal(layout, sampled_layout(3, 40, seed=1))
    assert not torch.equal(layout, sampled_layout(3, 40, seed=2))


@pytest.mark.parametrize("tokens", [1, 4, 9, 16, 17, 40, 78, 80])
def test_a_shorter_input_takes_the_top_left_corner(tokens: int) -> None:
    master = sampled_layout(2, 20, seed=3)
    layout = deepspeed_layout(master, tokens, 4)
    blocks = math.ceil(tokens / 4)
    zeros = torch.zeros(2, blocks * 4, 4)
    seen = block_attention_weights(zeros, zeros, layout)[:, ::4, ::4] > 0
    assert torch.equal(seen, master[:, :blocks, :blocks] > 0)
    assert layout.first == (blocks if seen.all() else 2)  # few keys a row, or all of them because the corner is full


def test_up_to_four_blocks_the_corner_is_full() -> None:
    master = sampled_layout(2, 20, seed=3, num_random=0)
    assert deepspeed_layout(master, 16, 4).first == 4
    assert deepspeed_layout(master, 17, 4).first == 2


def test_layouts_that_cannot_be_used_are_errors() -> None:
    with pytest.raises(ModelError, match="81 tokens are 21 blocks of 4; the layout has 20"):
        deepspeed_layout(sampled_layout(2, 20, seed=3), 81, 4)
    with pytest.raises(ModelError, match=r"\(heads, blocks, blocks\)"):
        deepspeed_layout(torch.ones(2, 3, 4), 8, 4)
    with pytest.raises(ModelError, match="own block"):
        deepspeed_layout(torch.zeros(2, 4, 4), 8, 4)
