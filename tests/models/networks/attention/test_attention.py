"""Attention: every backend equals the definition, and none looks where it may not."""

import pytest
import torch
from torch import Tensor

from genolm.models.networks.attention import attention
from genolm.models.networks.attention.attention import (
    AttentionFunction,
    blocked_attention,
    choose_attention,
    plain_attention,
    sdpa_attention,
)

BACKENDS = pytest.mark.parametrize("backend", [sdpa_attention, blocked_attention])


def inputs(queries: int, keys: int, heads: int = 4, kv_heads: int = 2, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(seed)
    return torch.randn(2, heads, queries, 8), torch.randn(2, kv_heads, keys, 8), torch.randn(2, kv_heads, keys, 8)


@BACKENDS
@pytest.mark.parametrize(("queries", "keys"), [(1, 1), (1, 9), (7, 7), (5, 12), (300, 300), (257, 400)])
@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_backends_equal_the_definition(backend: AttentionFunction, queries: int, keys: int, kv_heads: int) -> None:
    q, k, v = inputs(queries, keys, kv_heads=kv_heads)
    torch.testing.assert_close(backend(q, k, v, None), plain_attention(q, k, v), atol=2e-6, rtol=1e-5)


@BACKENDS
@pytest.mark.parametrize(("queries", "keys"), [(6, 6), (200, 200), (140, 300)])
def test_backends_equal_the_definition_under_a_mask(backend: AttentionFunction, queries: int, keys: int) -> None:
    q, k, v = inputs(queries, keys)
    allowed = torch.rand(2, queries, keys) < 0.5
    allowed[:, torch.arange(queries), torch.arange(queries) + keys - queries] = True
    expected = plain_attention(q, k, v, allowed)
    torch.testing.assert_close(backend(q, k, v, allowed), expected, atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize(("queries", "keys"), [(300, 300), (7, 300), (290, 333)])
@pytest.mark.parametrize("masked", [False, True])
def test_a_softmax_in_instalments_equals_the_definition(
    monkeypatch: pytest.MonkeyPatch, queries: int, keys: int, masked: bool
) -> None:
    monkeypatch.setattr(attention, "_KEYS_OF_ONE_SOFTMAX", 16)
    monkeypatch.setattr(attention, "_KEYS_AT_A_TIME", 37)
    q, k, v = inputs(queries, keys)
    k[:, :, 100] *= 30  # a late peak: what was summed before has to fade
    allowed = None
    if masked:
        allowed = torch.rand(2, queries, keys) < 0.3
        allowed[:, :, :80] = False
        allowed[:, torch.arange(queries), torch.arange(queries) + keys - queries] = True
    expected = plain_attention(q, k, v, allowed)
    torch.testing.assert_close(blocked_attention(q, k, v, allowed), expected, atol=2e-6, rtol=1e-5)


@BACKENDS
def test_a_row_that_sees_nothing_stays_finite(backend: AttentionFunction) -> None:
    q, k, v = inputs(150, 150)
    allowed = torch.ones(2, 150, 150, dtype=torch.bool)
    allowed[0, :, :3] = False
    out = backend(q, k, v, allowed)
    assert out.isfinite().all()
    torch.testing.assert_close(out[0, :, 3:], plain_attention(q, k, v, allowed)[0, :, 3:], atol=2e-6, rtol=1e-5)


@BACKENDS
def test_bf16_stays_within_its_precision(backend: AttentionFunction) -> None:
    q, k, v = (x.bfloat16() for x in inputs(260, 260))
    torch.testing.assert_close(backend(q, k, v, None), plain_attention(q, k, v), atol=0.03, rtol=0.03)


@pytest.mark.parametrize("backend", [plain_attention, sdpa_attention, blocked_attention])
def test_the_future_changes_nothing(backend: AttentionFunction) -> None:
    q, k, v = inputs(200, 200)
    before = backend(q, k, v, None)[:, :, :90]
    k[:, :, 90:], v[:, :, 90:] = 1e3, -1e3
    torch.testing.assert_close(backend(q, k, v, None)[:, :, :90], before, atol=1e-6, rtol=0)


def test_one_key_gives_its_value() -> None:
    q, k, v = inputs(1, 1, heads=2, kv_heads=2)
    torch.testing.assert_close(plain_attention(q, k, v), v)


def test_the_choice_follows_the_work() -> None:
    q, k, _ = inputs(128, 128)
    with torch.inference_mode():
        assert choose_attention(q, k, masked=False) is sdpa_attention
        assert choose_attention(q.bfloat16(), k.bfloat16(), masked=False) is blocked_attention
        long_q, long_k, _ = inputs(1024, 5000)
        assert choose_attention(long_q, long_k, masked=False) is blocked_attention
    assert choose_attention(q.requires_grad_(), k, masked=False) is sdpa_attention
