"""All attention backends equal the definition."""

import pytest
import torch

from genolm.models.networks.attention.attention import (
    ATTENTION,
    blocked_attention,
    choose_attention,
    plain_attention,
)
from genolm.models.networks.attention.attention_training import trained_attention

BACKENDS = ATTENTION.candidates
SHAPES = {  # queries, keys, query heads, key heads
    "one": (1, 1, 2, 2),
    "whole": (97, 97, 4, 4),
    "over a block": (300, 300, 4, 2),
    "one after a past": (1, 53, 8, 2),
    "chunk after a past": (200, 351, 4, 1),
}


def tensors(queries, keys, heads, kv_heads, dtype, batch=2, width=16):
    generator = torch.Generator().manual_seed(3)
    shapes = ((heads, queries), (kv_heads, keys), (kv_heads, keys))
    return [torch.randn(batch, *shape, width, generator=generator).to(dtype) for shape in shapes]


def masks(name, queries, keys):
    """Return a mask beyond causality, (2, L, S), and the queries that attend to any key, (2, L)."""
    if name == "causal":
        return None, torch.ones(2, queries, dtype=torch.bool)
    if name == "left padding":
        real = torch.arange(keys) >= torch.tensor([[0], [keys // 3]])
        allowed = real[:, None].expand(2, queries, keys)
    else:
        documents = torch.arange(keys) * 4 // keys
        allowed = (documents[None] == documents[-queries:, None]).expand(2, queries, keys)
    causal = torch.ones(queries, keys, dtype=torch.bool).tril(keys - queries)
    return allowed, (allowed & causal).any(-1)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("mask", ["causal", "left padding", "documents"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("dtype", "close"), [("float32", 1e-5), ("bfloat16", 2e-2)])
def test_backends_equal_the_definition(backend, mask, shape, dtype, close):
    queries, keys, heads, kv_heads = SHAPES[shape]
    q, k, v = tensors(queries, keys, heads, kv_heads, getattr(torch, dtype))
    allowed, seeing = masks(mask, queries, keys)
    expected = plain_attention(q, k, v, allowed).transpose(1, 2)[seeing]
    found = BACKENDS[backend](q.contiguous(), k, v, allowed).transpose(1, 2)[seeing]
    assert found.dtype == q.dtype
    torch.testing.assert_close(found.float(), expected.float(), atol=close, rtol=close)


def test_the_definition_is_the_formula():
    q, k, v = tensors(5, 5, 2, 1, torch.float64)
    found = plain_attention(q, k, v)
    for head in range(2):
        for place in range(5):
            weights = (q[0, head, place] @ k[0, 0, : place + 1].T / 4).exp()
            expected = (weights / weights.sum()) @ v[0, 0, : place + 1]
            torch.testing.assert_close(found[0, head, place], expected, atol=1e-6, rtol=1e-6)


def test_long_bf16_inference_takes_the_blocked_backend_and_training_its_own():
    q, k, _ = tensors(300, 300, 4, 2, torch.bfloat16)
    assert choose_attention(q, k, masked=False) is blocked_attention
    with torch.inference_mode(False), torch.enable_grad():
        trained = torch.zeros(1, 4, 300, 16, dtype=torch.bfloat16, requires_grad=True)
        assert choose_attention(trained, trained, masked=False) is trained_attention


def test_backends_agree_inside_a_network(network, ids, monkeypatch):
    batch = ids(2, 140)
    mask = torch.ones(2, 140, dtype=torch.bool)
    mask[1, :30] = False
    results = []
    for backend in (plain_attention, *BACKENDS.values()):
        monkeypatch.setattr("genolm.models.networks.decoder.choose_attention", lambda q, k, masked, one=backend: one)
        results.append(network(batch, mask_BL=mask).logits_BLV[mask])
    for result in results[1:]:
        torch.testing.assert_close(result, results[0], atol=5e-5, rtol=5e-4)
