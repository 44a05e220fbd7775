"""Block-sparse attention equals its definition, forward and backward, and its memory and work grow with the length."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from genolm.errors import ModelError
from genolm.models.networks.attention import block_sparse
from genolm.models.networks.attention.block_layout import (
    BlockLayout,
    deepspeed_layout,
    full_layout,
    sampled_layout,
    seeded_blocks,
    zero_blocks,
)
from genolm.models.networks.attention.block_sparse import (
    block_attention_weights,
    block_sparse_attention,
    plain_block_attention,
)

HEADS = 2


def deepspeed(tokens: int, block: int) -> BlockLayout:
    return deepspeed_layout(sampled_layout(HEADS, max(24, -(-tokens // block)), seed=0), tokens, block)


def zero(tokens: int, block: int) -> BlockLayout:
    return zero_blocks(tokens, block, 3)


def seeded(tokens: int, block: int) -> BlockLayout:
    return seeded_blocks(tokens, block, 3, heads=HEADS, layer=1, max_tokens=4096)


Pattern = Callable[[int, int], BlockLayout]
PATTERNS = pytest.mark.parametrize("pattern", [deepspeed, zero, seeded])


def inputs(tokens: int, width: int = 8, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    q, k, v = (torch.randn(HEADS, tokens, width, generator=random) for _ in range(3))
    return q, k, v


@pytest.fixture(params=[1 << 8, 1 << 18], ids=["many pieces", "few pieces"])
def pieces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_sparse, "_SCORES_ON_CPU", request.param)


@PATTERNS
@pytest.mark.parametrize("tokens", [1, 3, 4, 5, 16, 17, 43, 44, 45, 48, 63, 64, 65, 90])
def test_it_equals_the_definition(pieces: None, pattern: Pattern, tokens: int) -> None:
    q, k, v = inputs(tokens)
    layout = pattern(tokens, 4)
    found, expected = block_sparse_attention(q, k, v, layout), plain_block_attention(q, k, v, layout)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@PATTERNS
@pytest.mark.parametrize("tokens", [63, 64, 65, 256, 704, 705, 768, 1024])
def test_it_equals_the_definition_with_blocks_of_64(pattern: Pattern, tokens: int) -> None:
    q, k, v = inputs(tokens)
    layout = pattern(tokens, 64)
    found, expected = block_sparse_attention(q, k, v, layout), plain_block_attention(q, k, v, layout)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@PATTERNS
def test_the_pattern_is_not_full_attention(pattern: Pattern) -> None:
    q, k, v = inputs(90)
    found = block_sparse_attention(q, k, v, pattern(90, 4))
    assert (found - block_sparse_attention(q, k, v, full_layout(90, 4))).abs().max() > 0.1


@PATTERNS
@pytest.mark.parametrize("tokens", [5, 45, 66])
def test_gradients_equal_those_of_the_definition(pieces: None, pattern: Pattern, tokens: int) -> None:
    leaves = [x.requires_grad_() for x in inputs(tokens)]
    layout, given = pattern(tokens, 4), inputs(tokens, seed=1)[0]
    found = torch.autograd.grad(block_sparse_attention(*leaves, layout), leaves, given)
    expected = torch.autograd.grad(plain_block_attention(*leaves, layout), leaves, given)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=5e-5, rtol=1e-5)


@PATTERNS
@pytest.mark.parametrize("gradients", [False, True])
def test_bf16_stays_within_its_precision(pattern: Pattern, gradients: bool) -> None:
    q, k, v = (x.bfloat16() for x in inputs(90))
    with torch.set_grad_enabled(gradients):
        found = block_sparse_attention(q.requires_grad_(gradients), k, v, pattern(90, 4))
    expected = plain_block_attention(q.detach(), k, v, pattern(90, 4))
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.detach(), expected, atol=0.02, rtol=0.02)


def test_bf16_gradients_stay_within_its_precision() -> None:
    leaves = [x.bfloat16().requires_grad_() for x in inputs(90)]
    layout, given = deepspeed(90, 4), inputs(90, seed=1)[0].bfloat16()
    found = torch.autograd.grad(block_sparse_attention(*leaves, layout), leaves, given)
    expected = torch.autograd.grad(plain_block_attention(*leaves, layout), leaves, given)
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours - theirs).abs().max() < 0.02 * theirs.abs().max()


@pytest.mark.parametrize("mixed", [False, True])
def test_autocast_takes_products_to_its_precision(mixed: bool) -> None:
    leaves = [x.requires_grad_() for x in inputs(90)]
    layout, given = deepspeed(90, 4), inputs(90, seed=1)[0]
    expected = torch.autograd.grad(plain_block_attention(*leaves, layout), leaves, given)
    with torch.autocast("cpu", torch.bfloat16):
        q, k, v = leaves
        found = block_sparse_attention(q, k.bfloat16() if mixed else k, v, layout)
        assert found.dtype == torch.bfloat16
        gradients = torch.autograd.grad(found, leaves, given.bfloat16())  # within autocast, as some loops do
    for ours, theirs in zip(gradients, expected, strict=True):
        assert ours.dtype == torch.float32
        assert (ours - theirs).abs().max() < 0.03 * theirs.abs().max()


@pytest.mark.parametrize("padded_to", [49, 60, 64, 80])
def test_a_layout_of_a_padded_length_masks_the_padding(padded_to: int) -> None:
    q, k, v = inputs(47)
    layout = zero(padded_to, 4)
    found, expected = block_sparse_attention(q, k, v, layout), plain_block_attention(q, k, v, layout)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    if layout.num_blocks > 12:  # the last block of all is padding: no row sees the sequence's own last block everywhere
        assert (found - block_sparse_attention(q, k, v, zero(47, 4))).abs().max() > 0.01


def test_a_key_that_no_row_names_changes_only_the_global_rows() -> None:
    q, k, v = inputs(64)
    layout = zero(64, 4)
    before = block_sparse_attention(q, k, v, layout)
    k[:, 32:36], v[:, 32:36] = 9.0, -9.0  # block 8: seen by the rows 0, 7, 8, 9 and 15
    changed = (block_sparse_attention(q, k, v, layout) - before).abs().amax((0, 2)).view(16, 4).amax(1) > 0
    assert changed.nonzero()[:, 0].tolist() == [0, 7, 8, 9, 15]


def test_weights_are_a_map_over_keys() -> None:
    q, k, _ = inputs(66)
    weights = block_attention_weights(q, k, deepspeed(66, 4))
    assert weights.shape == (HEADS, 66, 66)
    torch.testing.assert_close(weights.sum(-1), torch.ones(HEADS, 66))
    assert (weights == 0).any()


def test_layouts_that_do_not_fit_are_errors() -> None:
    q, k, v = inputs(70)
    with pytest.raises(ModelError, match="70 tokens exceed the layout of 17 blocks of 4"):
        block_sparse_attention(q, k, v, zero(68, 4))
    with pytest.raises(ModelError, match="has 3 heads, but the queries have 2"):
        block_sparse_attention(q, k, v, deepspeed_layout(sampled_layout(3, 24, seed=0), 70, 4))


class Sizes(TorchDispatchMode):
    """Elements of all tensors for which memory is taken: the largest, and their sum."""

    def __init__(self) -> None:
        super().__init__()
        self.largest = self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        held = [x.untyped_storage().data_ptr() for x in (*args, *kwargs.values()) if isinstance(x, Tensor)]
        made = func(*args, **kwargs)
        if isinstance(made, Tensor) and made.untyped_storage().data_ptr() not in held:
            self.largest = max(self.largest, made.numel())
            self.total += made.numel()
        return made


def sizes(pattern: Pattern, tokens: int, dtype: torch.dtype, gradients: bool) -> Sizes:
    q, k, v = (x.to(dtype).requires_grad_(gradients) for x in inputs(tokens))
    layout = pattern(tokens, 4)
    with Sizes() as counted, torch.set_grad_enabled(gradients):
        mixed = block_sparse_attention(q, k, v, layout)
        if gradients:
            mixed.backward(torch.ones_like(mixed))
    return counted


@pytest.mark.parametrize("pattern", [deepspeed, zero])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("gradients", [False, True])
def test_memory_and_work_grow_with_the_length(
    monkeypatch: pytest.MonkeyPatch, pattern: Pattern, dtype: torch.dtype, gradients: bool
) -> None:
    monkeypatch.setattr(block_sparse, "_SCORES_ON_CPU", 1 << 10)
    short, long = (sizes(pattern, tokens, dtype, gradients) for tokens in (512, 2048))
    assert long.largest <= 4.2 * short.largest
    assert long.largest < 2048 * 2048 / 16
    assert long.total <= 4.3 * short.total
