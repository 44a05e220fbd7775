"""A sequence cut over processes gives the logits and gradients of the whole one."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys, torch, torch.distributed as dist
from dataclasses import replace
from genolm.models.networks.attention.context_parallel import RemotePast, piece
from genolm.models.networks.random_weights import random_decoder
from genolm.models.zoo.zoo import ZOO

torch.set_num_threads(1)
name, packed, file, rank, world = sys.argv[1], sys.argv[2] == "packed", sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
dist.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=world)
config = ZOO[name].config
ids = torch.randint(5, 10, (2, 72), generator=torch.Generator().manual_seed(0))
documents = (torch.arange(72) // 31)[None].expand(2, -1) if packed else None
direction = torch.randn(2, 72, config.vocab_size, generator=torch.Generator().manual_seed(1))

whole = random_decoder(config, 3).double()
expected = whole(ids, documents_BL=documents).logits_BLV
(expected * direction).sum().backward()

network = random_decoder(config, 3).double()
past = RemotePast(config.num_layers, ids, documents, dist.group.WORLD)
own = None if documents is None else piece(documents, dist.group.WORLD)
logits = network(piece(ids, dist.group.WORLD), documents_BL=own, cache=past).logits_BLV
torch.testing.assert_close(logits, expected.chunk(world, 1)[rank], atol=2e-5, rtol=2e-4)
(logits * direction.chunk(world, 1)[rank]).sum().backward()
for (label, one), other in zip(network.named_parameters(), whole.parameters(), strict=True):
    gradient = torch.zeros_like(one) if one.grad is None else one.grad
    dist.all_reduce(gradient)
    torch.testing.assert_close(gradient, other.grad, atol=1e-4, rtol=1e-3, msg=lambda text: f"{label}: {text}")
with torch.no_grad():
    past = RemotePast(config.num_layers, ids, documents, dist.group.WORLD)
    logits = network(piece(ids, dist.group.WORLD), documents_BL=own, cache=past).logits_BLV
torch.testing.assert_close(logits, expected.chunk(world, 1)[rank], atol=2e-5, rtol=2e-4)
print("equal")
"""


@pytest.mark.parametrize("packed", ["packed", "single"])
@pytest.mark.parametrize(("name", "world"), [("tiny-random", 2), ("tiny-random-gengram", 3), ("tiny-random-kmer", 2)])
def test_pieces_on_processes_equal_the_whole(name: str, packed: str, world: int, tmp_path: Path) -> None:
    words = [sys.executable, "-c", PROGRAM, name, packed, str(tmp_path / "meeting")]
    processes = [
        subprocess.Popen([*words, str(rank), str(world)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for rank in range(world)
    ]
    told = [process.communicate(timeout=120) for process in processes]
    assert [out.strip() for out, _ in told] == ["equal"] * world, told
