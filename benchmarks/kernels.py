"""Times of all kernels on this CPU, for the shapes of four networks, and the kernel that a run selects.

    python -m benchmarks.kernels

The networks are genolm-nano (bf16 and fp32, inference and training), a GenomeOcean of 100 million weights (generation),
gena-lm-bert-base, and one layer of genos-1.2b. Writes results/kernels.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from benchmarks.encoder import config_of as bert_config
from benchmarks.generation import config_of as ocean_config
from benchmarks.record import write
from genolm.models.kernel_selection import network_trials
from genolm.models.kernels.measurement import Trial, measure
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.network import Network
from genolm.models.networks.network_config import NetworkConfig
from genolm.models.networks.random_weights import random_network
from genolm.models.zoo.zoo import ZOO
from genolm.training.recipes.pretrain_recipe import Recipe

ENDLESS = 1e9  # seconds


def networks() -> Iterator[tuple[str, NetworkConfig, torch.dtype, Sequence[int], bool]]:
    """Yield name, config, precision, lengths in tokens, and whether gradients are computed."""
    nano = Recipe.load("genolm-nano").model
    for dtype in (torch.bfloat16, torch.float32):
        yield "genolm-nano", nano, dtype, [1024], False
        yield "genolm-nano, training", nano, dtype, [1024], True
        yield "genomeocean-100m", replace(ocean_config("genomeocean-100m"), num_layers=1), dtype, [128], False
        yield "gena-lm-bert-base", bert_config(1), dtype, [512], False
    genos = ZOO["genos-1.2b"].config
    assert isinstance(genos, DecoderConfig)
    yield "genos-1.2b", replace(genos, num_layers=1), torch.bfloat16, [1024, 8192, 32_768], False


def trials(network: Network, lengths: Sequence[int], dtype: torch.dtype, training: bool) -> Iterator[Trial]:
    """Yield the trials of a network once each."""
    yield from {trial.case: trial for trial in network_trials(network, lengths, dtype, training=training)}.values()


def main() -> None:
    """Run the command line."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    told = []
    for name, config, dtype, lengths, training in networks():
        network = random_network(config, seed=0)
        network = network if training else network.to(dtype)
        for case, timing in measure(trials(network, lengths, dtype, training), ENDLESS).items():
            milliseconds = {kernel: round(1e3 * seconds, 3) for kernel, seconds in timing.seconds.items()}
            told.append({"network": name, "case": case, "chosen": timing.chosen, "milliseconds": milliseconds})
            print(told[-1], flush=True)
    write("kernels", {"timings": told})


if __name__ == "__main__":
    main()
