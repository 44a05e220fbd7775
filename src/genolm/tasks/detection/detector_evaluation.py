"""Evaluation of a detector on genomes that it was not trained on, with baselines and shuffled labels. N samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genolm.arrays import Float64
from genolm.tasks.detection.classifier import fit
from genolm.tasks.detection.detector_features import BASELINE
from genolm.tasks.detection.detector_metrics import Outcome, Scores, length_bins, scores, with_intervals
from genolm.tasks.detection.detector_samples import Sample
from genolm.tasks.detection.genome_folds import HELD_OUT, Folds

SHUFFLED = "shuffled labels"
_SHUFFLES = 3

_LENGTH_EDGES = (200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000)

Bools = NDArray[np.bool_]


def cross_validated(features_NF: Float64, generated_N: Bools, partition: Folds, rate: float) -> tuple[Outcome, int]:
    """Test every fold with a classifier trained on the others, and held-out taxa with one trained on all folds.

    Returns:
        Predictions for every sample, and the number of classifiers with a flat calibration.
    """
    count = len(generated_N)
    predictions = Outcome(np.zeros(count), np.zeros(count), np.zeros(count, bool))
    flat = 0
    for fold in np.unique(partition.fold_N):
        rows = partition.trainable_N & (partition.fold_N != fold)
        test = partition.fold_N == fold
        classifier = fit(features_NF[rows], generated_N[rows], partition.fold_N[rows], rate)
        predictions.score_N[test] = classifier.score(features_NF[test])
        predictions.probability_N[test] = classifier.probability(features_NF[test])
        predictions.called_N[test] = predictions.probability_N[test] > classifier.threshold
        flat += classifier.flat
    return predictions, flat


def evaluated(
    samples: Sequence[Sample],
    matrices: Mapping[str, Float64],
    selected: str,
    generated_N: Bools,
    partition: Folds,
    rate: float,
    seed: int,
) -> dict[str, Any]:
    """Return ``evaluation`` of features, baseline and shuffled labels, and ``parts``: detector and baseline by subset.

    ``flat_calibrations`` is the number of classifiers of an evaluation, one per fold, with uninformative scores.
    """
    rows, parts = [], []
    shown = partition.trainable_N
    for name in dict.fromkeys((selected, *matrices)):
        outcome, flat = cross_validated(matrices[name], generated_N, partition, rate)
        row = _row(outcome, generated_N, partition, shown, seed)
        rows.append({"features": name} | row | {"flat_calibrations": flat})
        if name in (selected, BASELINE):
            subsets = _parts(samples, outcome, generated_N, partition, seed)
            parts += [{"features": name} | part for part in subsets]
    rows.append({"features": SHUFFLED} | _shuffled(matrices[selected], generated_N, partition, rate, seed))
    return {"evaluation": rows, "parts": parts}


def _shuffled(features_NF: Float64, generated_N: Bools, partition: Folds, rate: float, seed: int) -> dict[str, Any]:
    """Return means over permutations of the labels; the ends are the lowest and the highest value."""
    shown = partition.trainable_N
    permuted, flat = list[Scores](), 0
    for shuffle in range(_SHUFFLES):
        labels_N = generated_N.copy()
        labels_N[shown] = np.random.default_rng((seed, 2, shuffle)).permutation(generated_N[shown])
        outcome, uninformative = cross_validated(features_NF, labels_N, partition, rate)
        permuted.append(scores(outcome.of(shown), labels_N[shown]))
        flat += uninformative
    row: dict[str, Any] = {"natural": int((shown & ~generated_N).sum()), "generated": int((shown & generated_N).sum())}
    for name, values in zip(Scores._fields, np.array(permuted).T.tolist()):
        row |= {name: sum(values) / len(values), f"{name}_low": min(values), f"{name}_high": max(values)}
    return row | {"flat_calibrations": flat}


def _row(outcome: Outcome, generated_N: Bools, partition: Folds, rows_N: Bools, seed: int) -> dict[str, Any]:
    return with_intervals(outcome.of(rows_N), generated_N[rows_N], partition.group_N[rows_N], seed)


def _parts(
    samples: Sequence[Sample], outcome: Outcome, generated_N: Bools, partition: Folds, seed: int
) -> list[dict[str, Any]]:
    """Return metrics by generator and decoding (against all natural sequences), by length, and by held-out taxon."""
    open_N = partition.fold_N != HELD_OUT
    rows_of_parts = []
    for kind in ("generator", "decoding"):
        names = [getattr(sample, kind) for sample in samples]
        for name in sorted(set(names) - {""}):
            members_N = np.array([one == name for one in names]) & generated_N & open_N
            held_out = not bool((members_N & partition.trainable_N).any())
            rows = members_N | (~generated_N & open_N)
            if members_N.any():
                part = {"part": kind, "name": name, "held_out": held_out}
                rows_of_parts.append(part | _row(outcome, generated_N, partition, rows, seed))
    lengths_N = np.array([len(sample.sequence) for sample in samples])
    for name, inside in length_bins(lengths_N, _LENGTH_EDGES):
        rows = inside & partition.trainable_N
        if rows.any():
            rows_of_parts.append(
                {"part": "length", "name": name, "held_out": False} | _row(outcome, generated_N, partition, rows, seed)
            )
    return rows_of_parts + _held_out_parts(samples, outcome, generated_N, partition, seed)


def _held_out_parts(
    samples: Sequence[Sample], outcome: Outcome, generated_N: Bools, partition: Folds, seed: int
) -> list[dict[str, Any]]:
    """Return metrics for each held-out taxon and genome; without generated sequences of it, against those of others."""
    genomes = np.array([sample.genome for sample in samples])
    rows_of_parts = []
    taxa = {
        taxon: [name for name, one in partition.held_out.items() if one == taxon]
        for taxon in partition.held_out.values()
    }
    singles = {name: [name] for name in partition.held_out if name not in taxa}
    for kind, parts in (("taxon", taxa), ("genome", singles)):
        for name, members in parts.items():
            members_N = np.isin(genomes, members)
            rows = members_N if (members_N & generated_N).any() else members_N | (generated_N & partition.trainable_N)
            part = {"part": kind, "name": name, "held_out": True}
            rows_of_parts.append(part | _row(outcome, generated_N, partition, rows, seed))
    return rows_of_parts


def fold_table(samples: Sequence[Sample], partition: Folds) -> list[dict[str, Any]]:
    """Return genomes and counts of every fold, and the share of each genome's 28-mers that its training folds have."""
    generated_N = np.array([sample.generated for sample in samples], bool)
    rows_of_parts = []
    for fold in np.unique(partition.fold_N):
        inside = partition.fold_N == fold
        genomes = sorted(name for name, other in partition.genomes.items() if other == fold)
        rows_of_parts.append(
            {
                "fold": "held out" if fold == HELD_OUT else int(fold),
                "genomes": genomes,
                "natural": int((inside & ~generated_N).sum()),
                "generated": int((inside & generated_N).sum()),
                "shared_kmers": {name: partition.shared[name] for name in genomes},
            }
        )
    return rows_of_parts
