"""Muon equals that of torch, bit for bit."""

import torch

from genolm.training.trainer.muon import Muon, orthogonalised

SHAPES = [(8, 12), (8, 12), (12, 8), (5, 5), (12, 8)]


def matrices():
    generator = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in SHAPES]


def test_updates_and_state_are_those_of_torch():
    ours, theirs = matrices(), matrices()
    mine = Muon([{"params": ours, "weight_decay": 0.1}], lr=0.02)
    reference = torch.optim.Muon([{"params": theirs}], lr=0.02, weight_decay=0.1)
    for step in range(3):
        generator = torch.Generator().manual_seed(step)
        for one, other in zip(ours[: 5 - step], theirs, strict=False):  # fewer gradients at every step
            one.grad = torch.randn(one.shape, generator=generator)
            other.grad = one.grad.clone()
        for optimizer in (mine, reference):
            optimizer.step()
            optimizer.zero_grad()
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
        torch.testing.assert_close(
            mine.state[one]["momentum_buffer"], reference.state[other]["momentum_buffer"], rtol=0, atol=0
        )


def test_singular_values_become_about_one():
    update = orthogonalised(torch.randn(2, 6, 9, generator=torch.Generator().manual_seed(1)))
    values = torch.linalg.svdvals(update.float())
    assert values.min() > 0.6 and values.max() < 1.3
