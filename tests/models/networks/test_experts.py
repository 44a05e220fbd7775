"""Experts: the mixture by hand, deterministic ties, losses with known values."""

import pytest
import torch
import torch.nn.functional as F

from genolm.models.networks.experts import (
    MixtureOfExperts,
    SwiGLU,
    choose_experts,
    expert_load,
    load_balancing_loss,
    router_z_loss,
)


def mixture() -> MixtureOfExperts:
    torch.manual_seed(0)
    block = MixtureOfExperts(6, 10, 4, 2)
    for weight in block.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    return block


def test_the_mixture_is_the_weighted_sum_of_the_chosen_experts() -> None:
    block, x = mixture(), torch.randn(2, 5, 6)
    out, logits = block(x)
    for n, token in enumerate(x.view(-1, 6)):
        best = torch.topk(F.linear(token, block.router.weight), 2)
        expected = torch.zeros(6)
        for weight, expert in zip(best.values.softmax(0), best.indices):
            gate, up = (block.gate_up[expert] @ token).chunk(2)
            expected += weight * (block.down[expert] @ (F.silu(gate) * up))
        torch.testing.assert_close(out.view(-1, 6)[n], expected, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(logits[n], F.linear(token, block.router.weight))


@pytest.mark.parametrize("tokens", [1, 3000])
def test_inference_equals_training_and_any_number_of_tokens_works(tokens: int) -> None:
    block, x = mixture(), torch.randn(1, tokens, 6)
    with torch.no_grad():
        inferred, _ = block(x)
    trained, _ = block(x)
    torch.testing.assert_close(inferred, trained, atol=1e-6, rtol=1e-6)


def test_gradients_reach_router_and_experts() -> None:
    block = mixture()
    out, _ = block(torch.randn(1, 64, 6))
    out.square().sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in block.parameters())


def test_the_router_is_fp32_in_a_bf16_model() -> None:
    block, x = mixture().bfloat16(), torch.randn(1, 8, 6).bfloat16()
    _, logits = block(x)
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits, F.linear(x[0].float(), block.router.weight.float()))


def test_ties_go_to_the_lower_index() -> None:
    weights, chosen = choose_experts(torch.tensor([[1.0, 2.0, 2.0, 2.0], [0.0, 0.0, 0.0, 0.0]]), 2)
    assert chosen.tolist() == [[1, 2], [0, 1]]
    assert weights.tolist() == [[0.5, 0.5], [0.5, 0.5]]


def test_swiglu_is_its_formula() -> None:
    block, x = SwiGLU(4, 7), torch.randn(1, 3, 4)
    expected = block.down(F.silu(block.gate(x)) * block.up(x))
    with torch.no_grad():
        torch.testing.assert_close(block(x)[0], expected)
    assert block(x)[1] is None


def test_a_balanced_router_has_loss_c_and_a_collapsed_one_more() -> None:
    balanced = torch.eye(4).repeat(8, 1) * 1e-3
    assert load_balancing_loss([balanced], 2).item() == pytest.approx(2.0, abs=1e-3)
    collapsed = torch.tensor([[9.0, 8.0, 0.0, 0.0]]).repeat(8, 1)
    assert load_balancing_loss([collapsed], 2).item() == pytest.approx(4 * 1.0, abs=0.01)


def test_padding_and_layers_in_the_loss() -> None:
    torch.manual_seed(0)
    one, other = torch.randn(12, 4), torch.randn(12, 4)
    mask = torch.arange(12) < 7
    masked = load_balancing_loss([one, other], 2, mask)
    torch.testing.assert_close(masked, load_balancing_loss([one[:7], other[:7]], 2))
    each = [load_balancing_loss([layer], 2) for layer in (one, other)]
    torch.testing.assert_close(load_balancing_loss([one, other], 2, per_layer=True), sum(each) / 2)


def test_z_loss_is_the_squared_log_partition() -> None:
    assert router_z_loss([torch.zeros(3, 4)]).item() == pytest.approx(torch.tensor(4.0).log().item() ** 2)
    assert router_z_loss([torch.zeros(3, 4), torch.full((3, 4), 50.0)], torch.tensor([False, False, True])) > 1000


def test_loads_sum_to_one() -> None:
    load = expert_load(torch.tensor([[3.0, 2.0, 0.0, 0.0], [3.0, 0.0, 2.0, 0.0]]), 2)
    assert load.tolist() == [0.5, 0.25, 0.25, 0.0]
