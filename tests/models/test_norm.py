"""The norm's own gradients are those of its definition."""

import pytest
import torch

from genolm.models.norm import RMSNorm, rms_norm


@pytest.mark.parametrize("shape", [(2, 3, 8), (1, 2500, 8), (0, 3, 8)])
def test_gradients_are_those_of_the_definition(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    norm = RMSNorm(8, 1e-5).double()
    with torch.no_grad():
        norm.weight.normal_(generator=generator)
    x = torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True)
    direction = torch.randn(shape, generator=generator, dtype=torch.float64)
    found = torch.autograd.grad((norm(x) * direction).sum(), [x, norm.weight])
    expected = torch.autograd.grad((rms_norm(x, norm.weight, norm.eps) * direction).sum(), [x, norm.weight])
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_forward_pass_is_the_same_with_and_without_gradients(dtype: torch.dtype) -> None:
    norm = RMSNorm(16, 1e-5).to(dtype)
    x = torch.randn(2, 1500, 16, generator=torch.Generator().manual_seed(0)).to(dtype)
    trained = norm(x)
    with torch.no_grad():
        assert torch.equal(trained, norm(x))
    (gradient,) = torch.autograd.grad(norm(x.requires_grad_()).float().sum(), [x])
    assert gradient.dtype == dtype
