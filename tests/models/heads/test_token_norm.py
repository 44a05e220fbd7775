"""Batch norm over real tokens, on one rank and on several."""

import subprocess
import sys

import pytest
import torch

from genolm.models.heads.token_norm import TokenNorm

CLOSE = {"atol": 1e-5, "rtol": 1e-5}


def test_without_padding_it_is_that_of_torch():
    ours, theirs = TokenNorm(5), torch.nn.BatchNorm1d(5)
    for step in range(3):
        torch.manual_seed(step)
        x = torch.randn(3, 5, 7, requires_grad=True)
        other = x.detach().clone().requires_grad_()
        (ours(x) ** 3).sum().backward()
        (theirs(other) ** 3).sum().backward()
        torch.testing.assert_close(x.grad, other.grad, **CLOSE)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    for name, tensor in ours.state_dict().items():
        torch.testing.assert_close(tensor, theirs.state_dict()[name], **CLOSE)
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad, **CLOSE)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x), **CLOSE)


def test_padding_counts_neither_in_the_output_nor_in_the_statistics():
    torch.manual_seed(0)
    rows = [torch.randn(5, 7), torch.randn(5, 3)]
    padded, mask = torch.full((2, 5, 9), 100.0), torch.zeros(2, 9, dtype=torch.bool)
    padded[0, :, 1:8], mask[0, 1:8] = rows[0], True
    padded[1, :, 5:8], mask[1, 5:8] = rows[1], True
    ours, theirs = TokenNorm(5), torch.nn.BatchNorm1d(5)
    out = ours(padded, mask)
    expected = theirs(torch.cat(rows, 1).T)
    torch.testing.assert_close(torch.cat((out[0, :, 1:8], out[1, :, 5:8]), 1).T, expected, **CLOSE)
    torch.testing.assert_close(ours.running_var, theirs.running_var, **CLOSE)


_PROGRAM = """
import sys, torch, multiprocessing as mp
import torch.distributed as dist
from genolm.models.heads.head_config import TrackHeadConfig
from genolm.models.heads.track_head import TrackHead
folder = sys.argv[1]

def step(rows, mask):
    torch.manual_seed(1)
    head = TrackHead(TrackHeadConfig(("a", "b"), dropout=0.0), 16).train()
    (head(rows, mask, mask) ** 2).sum().backward()
    return {**head.state_dict(), **{f"grad.{name}": weight.grad for name, weight in head.named_parameters()}}

def rank(number):
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=number, world_size=2)
    found = step(rows[number : number + 1], mask[number : number + 1])
    for name in found:
        if name.startswith("grad."):
            dist.all_reduce(found[name])
    torch.save(found, f"{folder}/{number}.pt")

torch.set_num_threads(1)
torch.manual_seed(0)
rows, mask = torch.randn(2, 11, 16), torch.ones(2, 11, dtype=torch.bool)
mask[1, 6:] = False
both = [mp.get_context("fork").Process(target=rank, args=(number,)) for number in (0, 1)]
for process in both: process.start()
for process in both: process.join()
together = step(rows, mask)
for number in (0, 1):
    for name, tensor in torch.load(f"{folder}/{number}.pt").items():
        torch.testing.assert_close(tensor, together[name], atol=1e-5, rtol=1e-5, msg=lambda text: f"{name}: {text}")
"""


def test_two_ranks_with_a_row_each_are_one_rank_with_both(tmp_path):
    subprocess.run([sys.executable, "-c", _PROGRAM, str(tmp_path)], check=True, timeout=120)


@pytest.mark.parametrize("tokens", [0, 1])
def test_few_tokens_give_finite_statistics(tokens):
    norm = TokenNorm(2)
    mask = torch.zeros(1, 3, dtype=torch.bool)
    mask[0, :tokens] = True
    norm(torch.randn(1, 2, 3), mask)
    assert norm.running_mean.isfinite().all() and norm.running_var.isfinite().all()
