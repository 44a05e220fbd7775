"""Cost of Gengram memories at three layers of the genos-1.2b configuration: inference and training step on a CPU.

    python -m benchmarks.gengram

One network with random bf16 weights, whose memories are removed and restored between passes, so that all other weights
are shared. The third variant computes the memory as released: prefix sums of all looked-up rows, then a projection of
every token. Measured are full passes, alternating, and the memories alone, because their cost is close to the noise of
a full pass. Writes results/gengram.json.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.record import RESULTS, alternate, write
from genolm.models.gengram.gengram import Gengram, Past, Written
from genolm.models.gengram.gengram_config import GengramConfig
from genolm.models.gengram.kmer_stream import KmerStream
from genolm.models.gengram.window_sum import shifted
from genolm.models.networks.decoder import Decoder
from genolm.models.zoo.zoo import entry
from genolm.training.objectives.next_token import next_base_loss

LAYERS = (3, 6, 10)


class ReleasedForm(nn.Module):
    """The same memory as published: window means from prefix sums, and a projection of every token.

    Sums are in fp32 here, unlike in the published code on a GPU.
    """

    def __init__(self, memory: Gengram) -> None:
        super().__init__()
        self.memory, self.config = memory, memory.config

    def forward(self, x_BLD: Tensor, stream: KmerStream, past: Past = None) -> tuple[Written, Tensor]:
        """Compute the output of the memory, without a cache."""
        memory, means = self.memory, []
        for index, (order, endings) in enumerate(zip(self.config.orders, self.config.endings, strict=True)):
            rows, whole = memory.rows(stream, order)
            sums = (memory.table(index)[rows] * whole[..., None]).float().cumsum(1)
            counts = whole.float().cumsum(1)
            count = (counts - shifted(counts, endings)).clamp_min(1)
            means.append((sums - shifted(sums, endings)) / count[..., None])
        pooled = torch.cat(means, -1).to(x_BLD.dtype)
        key, value = memory.key(pooled), memory.value(pooled)
        logit = (memory.query_norm(x_BLD).float() * memory.key_norm(key).float()).sum(-1) / math.sqrt(x_BLD.shape[-1])
        gate = (logit.sign() * logit.abs().clamp_min(1e-6).sqrt()).sigmoid()
        gated = (gate[..., None] * value).to(x_BLD.dtype)
        assert memory.conv is not None
        return Written(gated + F.silu(memory.conv(gated, None, stream)), gate), gated


def network_with_memories(name: str) -> Decoder:
    """Return the named configuration with memories and random bf16 weights."""
    config = entry(name).config
    assert config is not None
    config = replace(config, gengram=GengramConfig(layers=LAYERS))
    with torch.device("meta"):
        network = Decoder(config)
    network = network.to(torch.bfloat16).to_empty(device="cpu")
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in network.parameters():
            weight.fill_(1.0) if weight.ndim == 1 else weight.normal_(0.0, 0.02)
    return network


class Forms:
    """Return the network's memories in the requested form."""

    def __init__(self, network: Decoder) -> None:
        self.network = network
        self.layers = [network.layers[layer - 1] for layer in LAYERS]
        ours = [layer.gengram for layer in self.layers]
        self.forms: dict[str, list[Any]] = {
            "without": [None] * len(ours),
            "genolm": ours,
            "released form": [ReleasedForm(memory) for memory in ours],
        }

    def put(self, form: str) -> None:
        """Install the memories of a form in their layers."""
        for layer, memory in zip(self.layers, self.forms[form], strict=True):
            layer.gengram = memory

    def sides(self, run: Callable[[], Any]) -> dict[str, Callable[[], Any]]:
        """Time the same work with each form."""

        def under(form: str) -> Callable[[], Any]:
            def side() -> None:
                self.put(form)
                run()

            return side

        return {form: under(form) for form in self.forms}

    def alone(self, ids: Tensor, rounds: int, gradients: bool = False) -> dict[str, dict[str, Any]]:
        """Return the seconds of the k-mer lookup and of all memories, on a random residual stream."""
        x = torch.randn(*ids.shape, self.network.config.hidden_size, dtype=torch.bfloat16)

        def work(form: str) -> Callable[[], Any]:
            def side() -> None:
                stream = self.network._kmers(ids, None, None, None)
                for memory in self.forms[form]:
                    update = memory(x, stream)[0].update_BLD
                    if gradients:
                        update.sum().backward()
                self.network.zero_grad(set_to_none=True)

            return side

        return alternate({form: work(form) for form in ("genolm", "released form")}, rounds)


def inference(forms: Forms, bases: int, rounds: int) -> dict[str, Any]:
    """Time full passes and memories alone, without gradients; tables are folded before the first timed pass."""
    ids = torch.randint(5, 9, (1, bases), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        passes = alternate(forms.sides(lambda: forms.network(ids)), rounds)
        alone = forms.alone(ids, 5)
    return {"bases": bases, **_compared(passes, alone)}


def training(forms: Forms, bases: int, rounds: int) -> dict[str, Any]:
    """Time forward, backward and AdamW of full passes; forward and backward of the memories alone."""
    ids = torch.randint(5, 9, (1, bases + 1), generator=torch.Generator().manual_seed(0))

    # One optimizer for both variants: it skips removed memories, which have no gradients.
    optimizer = torch.optim.AdamW(forms.network.parameters(), lr=1e-6, fused=True)

    def step(ids: Tensor) -> None:
        logits = forms.network(ids[:, :-1]).logits_BLV
        assert logits is not None
        next_base_loss(logits, ids, None, torch.tensor([5, 6, 7, 8])).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    forms.put("genolm")
    step(ids[:, :257])  # warm-up
    sides = forms.sides(lambda: step(ids))
    del sides["released form"]
    passes = alternate(sides, rounds, uncounted=0)
    return {"bases": bases, **_compared(passes, forms.alone(ids[:, :-1], 3, gradients=True))}


def _compared(passes: dict[str, Any], alone: dict[str, Any] | None) -> dict[str, Any]:
    plain = passes["without"]["median_seconds"]
    told: dict[str, Any] = {"sides": passes}
    told["added"] = {
        form: round(one["median_seconds"] / plain - 1, 4) for form, one in passes.items() if form != "without"
    }
    if alone is not None:
        told["memories_alone"] = alone
        told["alone_over_plain_pass"] = {form: round(one["median_seconds"] / plain, 4) for form, one in alone.items()}
    return told


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bases", type=int, default=8192)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--training-bases", type=int, default=4096)
    parser.add_argument("--model", default="genos-1.2b")
    parser.add_argument(
        "--only",
        choices=("inference", "training"),
        help="measure only this and keep the other results",
    )
    words = parser.parse_args()
    forms = Forms(network_with_memories(words.model))
    told: dict[str, Any] = {"model": f"{words.model} with Gengram at layers {LAYERS}, random weights, bf16"}
    path = RESULTS / "gengram.json"
    if words.only:
        told |= {half: json.loads(path.read_text())[half] for half in ("inference", "training") if half != words.only}
    if words.only != "training":
        told["inference"] = inference(forms, words.bases, words.rounds)
        print(told["inference"], flush=True)
    if words.only != "inference":
        told["training"] = training(forms, words.training_bases, words.rounds)
    write("gengram", told)


if __name__ == "__main__":
    main()
