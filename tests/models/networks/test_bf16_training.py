"""Joined products with gradients give what the separate ones give in bf16."""

import pytest
import torch
import torch.nn.functional as F

from genolm.models.networks.bf16_training import is_trained_in_bf16, trained_products, trained_swiglu
from genolm.models.networks.experts import SwiGLU


def tensors(*shapes, dtype=torch.float32):
    generator = torch.Generator().manual_seed(2)
    return [torch.randn(shape, generator=generator).mul(0.3).to(dtype).requires_grad_() for shape in shapes]


def gradients(outputs, inputs):
    total = sum((output.float() * torch.linspace(-1, 1, output.shape[-1])).sum() for output in outputs)
    return torch.autograd.grad(total, inputs)


def assert_close(got, expected):
    for one, other in zip(got, expected, strict=True):
        assert one.dtype == other.dtype
        assert (one - other).norm() <= 0.01 * other.norm()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_products(dtype):
    inputs = tensors((2, 7, 16), (8, 16), (4, 16), dtype=dtype)
    x, *weights = inputs
    with torch.autocast("cpu", torch.bfloat16):
        got, expected = trained_products(x, *weights), [F.linear(x, weight) for weight in weights]
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    assert_close(gradients(got, inputs), gradients(expected, inputs))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_swiglu(dtype):
    inputs = tensors((2, 7, 16), (24, 16), (24, 16), (16, 24), dtype=dtype)
    x, gate, up, down = inputs
    with torch.autocast("cpu", torch.bfloat16):
        got, expected = trained_swiglu(*inputs), F.linear(F.silu(F.linear(x, gate)) * F.linear(x, up), down)
    torch.testing.assert_close(got, expected, rtol=0, atol=0)
    assert_close(gradients([got], inputs), gradients([expected], inputs))


def test_used_for_bf16_with_gradients_only():
    x, weight = tensors((2, 4), (4, 4))
    assert not is_trained_in_bf16(x, weight)
    assert is_trained_in_bf16(x.bfloat16(), weight.bfloat16())
    with torch.autocast("cpu", torch.bfloat16):
        assert is_trained_in_bf16(x, weight)
        with torch.no_grad():
            assert not is_trained_in_bf16(x, weight)


def test_replaced_layers_are_called():
    block = SwiGLU(8, 12)
    block.gate = torch.nn.Sequential(torch.nn.Linear(8, 12, bias=False), torch.nn.Tanh())
    x = torch.randn(1, 3, 8)
    with torch.autocast("cpu", torch.bfloat16):
        expected = block.down(F.silu(block.gate(x)) * block.up(x))
        torch.testing.assert_close(block(x)[0], expected)
