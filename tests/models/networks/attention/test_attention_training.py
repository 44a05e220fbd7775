"""Attention with gradients by blocks: values and gradients equal the definition's, in fp32 and in bf16."""

from functools import partial

import pytest
import torch
from torch import Tensor

from genolm.models.networks.attention import attention_training
from genolm.models.networks.attention.attention import (
    AttentionFunction,
    choose_attention,
    plain_attention,
    sdpa_attention,
)
from genolm.models.networks.attention.attention_training import SCORES, trained_attention


def inputs(length: int, kv_heads: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(length)
    heads = (4, kv_heads, kv_heads)
    return tuple(torch.randn(2, h, length, 8).to(dtype).requires_grad_() for h in heads)  # type: ignore[return-value]


def gradients(function: AttentionFunction, tensors: tuple[Tensor, ...], allowed: Tensor | None) -> list[Tensor]:
    q, k, v = tensors
    out = function(q, k, v, allowed)
    direction = torch.randn(out.shape, generator=torch.Generator().manual_seed(1))
    return [out, *torch.autograd.grad((out.float() * direction).sum(), tensors)]


@pytest.mark.parametrize("length", [1, 7, 128, 300])
@pytest.mark.parametrize("kv_heads", [1, 2, 4])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("scores", [300, SCORES // 4, SCORES])
def test_values_and_gradients_equal_the_definition(
    monkeypatch: pytest.MonkeyPatch, length: int, kv_heads: int, masked: bool, kept: bool, scores: int
) -> None:
    monkeypatch.setattr(attention_training, "_KEPT_BYTES", 1 << 28 if kept else 0)
    tensors = inputs(length, kv_heads)
    documents = torch.arange(length)[None] // torch.tensor([[50], [9]])
    allowed = documents[:, :, None] == documents[:, None, :] if masked else None
    expected = gradients(plain_attention, tensors, allowed)
    function = partial(trained_attention, scores=scores)
    for ours, theirs in zip(gradients(function, tensors, allowed), expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=5e-6, rtol=1e-5)


def test_bf16_is_as_close_to_fp32_as_the_fused_kernel() -> None:
    exact = gradients(plain_attention, inputs(300, 2), None)
    errors = []
    for function in (trained_attention, sdpa_attention):
        rounded = gradients(function, inputs(300, 2, torch.bfloat16), None)
        errors.append([((a.float() - b).norm() / b.norm()).item() for a, b in zip(rounded, exact, strict=True)])
    assert all(ours < 2 * theirs for ours, theirs in zip(*errors, strict=True))


def test_it_is_taken_for_bf16_training_on_a_cpu_alone() -> None:
    q, k, _ = inputs(16, 2, torch.bfloat16)
    assert choose_attention(q, k, False) is trained_attention
    assert choose_attention(q, k, True) is trained_attention
    assert choose_attention(q.float(), k.float(), False) is sdpa_attention
    with torch.no_grad():
        assert choose_attention(q, k, False) is sdpa_attention
