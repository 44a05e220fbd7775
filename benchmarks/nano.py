"""Held-out bits per base of genolm-nano, of Markov models of the same training bases, and of an untrained network.

    GENOLM_DATA=folder python -m benchmarks.nano --predecessor folder

The predecessor, a model folder, is optional. All models predict the same bases: those preceded by at least 512 bases
without N. The Markov models are counted on both strands of the bases that the recipe trains on; smoothing strengths are
chosen on the validation split. Intervals are 95 % percentile bootstrap intervals over windows of 512 bases. Writes
results/nano.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import genolm
from benchmarks.record import write
from genolm.models.networks.decoder import Decoder
from genolm.statistics.markov import MarkovModel
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.corpus import DocumentSpan, load_corpus
from genolm.training.recipes.pretrain_recipe import Recipe
from genolm.training.trainer.weights import initialise

WINDOW, HALF = 1024, 512
Bits = NDArray[np.float64]


def windows(runs: tuple[DocumentSpan, ...], every: int) -> list[tuple[int, int]]:
    """Return (run, start) of the windows whose second halves cover all bases of a run from the 512th on."""
    all_ = [(r, start) for r, run in enumerate(runs) for start in range(0, len(run.ids) - WINDOW + 1, HALF)]
    return all_[::every]


@torch.inference_mode()
def network_bits(
    network: Decoder, runs: tuple[DocumentSpan, ...], places: list[tuple[int, int]], bases: list[int]
) -> Bits:
    """Return the mean bits of the second half of each window, (windows,); probabilities are over the four bases."""
    means: list[float] = []
    for chunk in _chunks(places, 32):
        ids = np.stack([runs[r].ids[start : start + WINDOW] for r, start in chunk]).astype(np.int64)
        logits = network(torch.from_numpy(ids[:, :-1])).logits_BLV[:, HALF - 1 :, bases]
        targets = torch.searchsorted(torch.tensor(sorted(bases)), torch.from_numpy(ids[:, HALF:]))
        order = torch.tensor(np.argsort(bases))
        chosen = logits.log_softmax(-1).gather(-1, order[targets][..., None])[..., 0]
        means += (-chosen.double().mean(1) / np.log(2)).tolist()
    return np.array(means)


def markov_bits(model: MarkovModel, digits: list[NDArray[np.int64]], places: list[tuple[int, int]]) -> Bits:
    """Return the same for a Markov model."""
    bits = [model.bits(run) for run in digits]
    skip = model.order
    return np.array([bits[r][start + HALF - skip : start + WINDOW - skip].mean() for r, start in places])


def with_interval(bits: Bits, seed: int = 0) -> dict[str, Any]:
    """Return the mean with its 95 % bootstrap interval over windows."""
    random = np.random.default_rng(seed)
    means = [bits[random.integers(len(bits), size=len(bits))].mean() for _ in range(1000)]
    low, high = np.percentile(means, [2.5, 97.5])
    return {"bits_per_base": round(bits.mean(), 5), "interval_95": [round(low, 5), round(high, 5)]}


def _chunks(items: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def compare(every: int, highest_order: int, predecessor: str | None) -> dict[str, Any]:
    """Evaluate all models on both splits."""
    recipe, tokenizer = Recipe.load("genolm-nano"), NucleotideTokenizer(iupac="N")
    corpus = load_corpus(recipe.corpus, tokenizer)
    digit = np.zeros(256, np.int64)
    digit[list(tokenizer.base_ids)] = range(4)
    digits = {name: [digit[run.ids] for run in runs] for name, runs in corpus.splits.items()}
    markov = MarkovModel.fit(digits["train"], [run[:300_000] for run in digits["validation"]], highest_order)
    nano, before = genolm.load("genolm-nano"), None if predecessor is None else genolm.load(predecessor)
    untrained = initialise(Decoder(recipe.model, tokenizer.base_ids), recipe.seed).eval()
    told: dict[str, Any] = {"bases": {name: corpus.bases(name) for name in corpus.splits}, "dropped": corpus.dropped}
    told |= {"held_out": recipe.corpus.held_out, "strengths": markov.strengths, "splits": {}}
    for split in ("validation", "test"):
        runs, places = corpus.splits[split], windows(corpus.splits[split], every)
        orders = {k: markov_bits(markov.truncated(k), digits[split], places) for k in range(highest_order + 1)}
        best = min(orders, key=lambda k: orders[k].mean())
        ours = network_bits(nano.network, runs, places, list(tokenizer.base_ids))
        random = network_bits(untrained, runs, places[:: max(1, len(places) // 200)], list(tokenizer.base_ids))
        told["splits"][split] = {
            "predicted_bases": len(places) * HALF,
            "genolm-nano": with_interval(ours),
            "best_markov": {"order": best, **with_interval(orders[best])},
            "difference": with_interval(ours - orders[best]),
            "untrained": with_interval(random),
            "markov": {str(k): round(bits.mean(), 5) for k, bits in orders.items()},
        }
        if before is not None:
            old = network_bits(before.network, runs, places, list(tokenizer.base_ids))
            told["splits"][split]["predecessor"] = with_interval(old)
            told["splits"][split]["difference_to_predecessor"] = with_interval(ours - old)
        print(split, told["splits"][split], flush=True)
    return told


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=4, help="predict only every n-th window")
    parser.add_argument("--order", type=int, default=12, help="highest order of the Markov models")
    parser.add_argument("--predecessor", help="model folder of the previous version")
    words = parser.parse_args()
    told = compare(words.every, words.order, words.predecessor)
    write("nano", {"model": "genolm-nano", "every": words.every, **told})


if __name__ == "__main__":
    main()
