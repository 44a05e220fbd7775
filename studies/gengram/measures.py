"""Measurements of a trained arm: held-out bits per base, LogitLens-KL, and probes on labelled sequences."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from genolm.models.networks.decoder import Decoder
from studies.gengram.training import TOKENIZER

Values = NDArray[np.float64]
# The development split is used if no training split is published.
PROBES = {
    "splice sites": ("splice.reconstructed.dev", "splice.reconstructed.test"),
    "core promoters": ("prom.prom_core_all.train", "prom.prom_core_all.test"),
}


@torch.inference_mode()
def window_bits(network: Decoder, windows: NDArray[np.uint8]) -> Values:
    """Return mean bits per base of each window's second half, (windows,); probabilities are over the four bases."""
    first, bases = windows.shape[1] // 2, sorted(TOKENIZER.base_ids)
    means = []
    for batch in torch.from_numpy(windows.astype(np.int64)).split(32):
        logits = network(batch[:, :-1]).logits_BLV
        assert logits is not None
        logits = logits[:, first - 1 :, bases]
        targets = torch.searchsorted(torch.tensor(bases), batch[:, first:].contiguous())
        nats = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none").view_as(targets)
        means.append(nats.double().mean(1) / np.log(2))
    return torch.cat(means).numpy()


@torch.inference_mode()
def lens_kl(network: Decoder, windows: NDArray[np.uint8]) -> list[float]:
    """Return KL(output || readout of a layer) in nats, mean over positions, for the embedding and each layer."""
    ids = torch.from_numpy(windows.astype(np.int64))[:, :-1]
    layers = range(network.config.num_layers)
    output = network(ids, layers=layers)
    assert output.logits_BLV is not None
    final = output.logits_BLV.log_softmax(-1)
    found = []
    for layer in layers:
        readout = network.head(network.norm(output.hidden[layer])).float().log_softmax(-1)
        found.append(round((final.exp() * (final - readout)).sum(-1).mean().item(), 4))
    return found


def read_labelled(folder: Path, name: str, count: int, seed: int = 0) -> tuple[list[str], NDArray[np.int64]]:
    """Return a fixed random sample of sequences and their labels."""
    table = pl.read_csv(folder / "benchmarks" / "gue" / f"{name}.csv.gz")
    if len(table) > count:
        table = table.sample(count, seed=seed, shuffle=True)
    return table["sequence"].to_list(), table["label"].to_numpy()


@torch.inference_mode()
def embed(network: Decoder, sequences: Sequence[str]) -> NDArray[np.float32]:
    """Return the mean of the last layer over the bases of each sequence, (sequences, D); lengths must be equal."""
    ids = torch.from_numpy(np.stack([TOKENIZER.encode(sequence) for sequence in sequences]).astype(np.int64))
    layer = network.config.num_layers
    with torch.autocast("cpu", torch.bfloat16):
        means = [network(batch, layers=[layer], logits=False).hidden[layer].float().mean(1) for batch in ids.split(32)]
    return torch.cat(means).numpy()


def kmer_counts(sequences: Sequence[str], order: int = 4) -> NDArray[np.float32]:
    """Return k-mer frequencies of each sequence, (sequences, 4^k): the baseline of every probe."""
    digit = {base: number for number, base in enumerate("ACGT")}
    shares = np.zeros((len(sequences), 4**order), np.float32)
    for row, sequence in enumerate(sequences):
        digits = np.array([digit.get(base, 0) for base in sequence])
        codes = sum(digits[i : len(digits) - order + 1 + i] * 4 ** (order - 1 - i) for i in range(order))
        shares[row] = np.bincount(codes, minlength=4**order) / len(codes)
    return shares


def probe_auc(
    train: NDArray[np.float32], labels: NDArray[np.int64], test: NDArray[np.float32], truth: NDArray[np.int64]
) -> float:
    """Return the AUROC of a logistic regression on standardised features; one-vs-rest mean for several classes."""
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=200)).fit(train, labels)
    scores = probe.predict_proba(test)
    if scores.shape[1] == 2:
        return round(float(roc_auc_score(truth, scores[:, 1])), 4)
    return round(float(roc_auc_score(truth, scores, multi_class="ovr")), 4)
