"""Study run: each arm with each seed, one JSON file each, combined in results.json.

    GENOLM_DATA=folder python -m studies.gengram.run
    python -m studies.gengram.report                     # tables of docs/studies/gengram.md

All networks are trained and measured on held-out sequence, then those of the first seed are probed. Finished runs are
not repeated: an interrupted study can be continued, and a second process can run other seeds (--seeds 2) at the same
time.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.record import machine
from safetensors.torch import load_file, save_file

from genolm.training.corpus import Corpus, load_corpus
from genolm.training.feeds.corpus_feed import sample_windows
from genolm.training.recipes.pretrain_recipe import Recipe
from studies.gengram.arms import ARMS
from studies.gengram.measures import PROBES, embed, kmer_counts, lens_kl, probe_auc, read_labelled, window_bits
from studies.gengram.training import TOKENIZER, Size, build, train

HERE = Path(__file__).parent
RUNS, RESULTS = HERE / "runs", HERE / "results.json"
WINDOWS, LENS_WINDOWS, LABELLED = 512, 16, 400
SPLITS = ("validation", "test")
PROBED_SEED = 0


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=Size().steps)
    parser.add_argument("--arms", nargs="*", help="arms to run; default all")
    words = parser.parse_args()
    size = Size(steps=words.steps)
    wanted = [(arm, seed) for seed in words.seeds for arm in words.arms or ARMS]
    if not all(_file(*one).exists() for one in wanted):
        torch.set_num_threads(1)
        corpus = load_corpus(Recipe.load("genolm-nano").corpus, TOKENIZER)
        for arm, seed in wanted:
            if not _file(arm, seed).exists():
                print(arm, seed, flush=True)
                _write(_file(arm, seed), run(arm, seed, corpus, size))
    for arm, seed in wanted:
        if seed == PROBED_SEED:
            add_probes(arm, seed)
    if all(_file(*one).exists() for one in wanted):
        told = [json.loads(_file(*one).read_text()) for one in wanted]
        _write(RESULTS, {"machine": machine(), "size": asdict(size), "probe_baselines": baselines(), "runs": told})


def run(name: str, seed: int, corpus: Corpus, size: Size) -> dict[str, Any]:
    """Train one arm with one seed and measure it."""
    arm = ARMS[name]
    network, told = train(arm, corpus.splits["train"], size, seed)
    RUNS.mkdir(exist_ok=True)
    save_file(network.state_dict(), _weights(name, seed))
    held_out = {
        split: sample_windows(corpus.splits[split], size.context, WINDOWS, seed=1) for split in SPLITS
    }  # the same windows for every run
    config = network.config
    memory = None if config.gengram is None else config.gengram.layers
    return {
        "arm": name,
        "seed": seed,
        "tokens": size.tokens,
        "parameters": sum(weight.numel() for weight in network.parameters()),
        "trained_parameters": sum(weight.numel() for weight in network.parameters() if weight.requires_grad),
        "memory_layers": memory,
        "window_bits": {split: np.round(window_bits(network, held_out[split]), 4).tolist() for split in SPLITS},
        "lens_kl_nats": lens_kl(network, held_out["validation"][:LENS_WINDOWS]),
        **told,
    }


def add_probes(arm: str, seed: int) -> None:
    """Probe the saved weights of a run, unless done before."""
    told = json.loads(_file(arm, seed).read_text())
    if "probe_auc" in told:
        return
    print(arm, seed, "probes", flush=True)
    network = build(ARMS[arm], seed)
    network.load_state_dict(load_file(_weights(arm, seed)))
    _write(_file(arm, seed), {**told, "probe_auc": probes(network.eval())})


def probes(network: Any) -> dict[str, float]:
    """Return the AUROC of a probe on each labelled data set."""
    found = {}
    for name, (train_split, test_split) in PROBES.items():
        (one, labels), (other, truth) = (read_labelled(_data(), split, LABELLED) for split in (train_split, test_split))
        found[name] = probe_auc(embed(network, one), labels, embed(network, other), truth)
    return found


def baselines() -> dict[str, dict[str, float]]:
    """Return the same for k-mer counts and for the untrained baseline network."""
    found: dict[str, dict[str, float]] = {"4-mer counts": {}}
    for name, (train_split, test_split) in PROBES.items():
        (one, labels), (other, truth) = (read_labelled(_data(), split, LABELLED) for split in (train_split, test_split))
        found["4-mer counts"][name] = probe_auc(kmer_counts(one), labels, kmer_counts(other), truth)
    return {**found, "untrained baseline": probes(build(ARMS["baseline"], 0).eval())}


def _data() -> Path:
    return Path(os.environ["GENOLM_DATA"])


def _file(arm: str, seed: int) -> Path:
    return RUNS / f"{arm.replace(', ', '_').replace(' ', '-')}_{seed}.json"


def _weights(arm: str, seed: int) -> Path:
    return _file(arm, seed).with_suffix(".safetensors")


def _write(path: Path, values: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    staging = path.with_suffix(".tmp")
    staging.write_text(json.dumps(values) + "\n", encoding="utf-8")
    staging.replace(path)


if __name__ == "__main__":
    main()
