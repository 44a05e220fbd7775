"""A detector tested on genomes that it was not trained on, beside its baselines and shuffled labels. N samples."""

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


def tested(features_NF: Float64, generated_N: Bools, parted: Folds, rate: float) -> tuple[Outcome, int]:
    """Tests every fold with a classifier trained on the others; held-out taxa with one trained on all folds.

    Returns:
        What was said of every sample, and how many of the classifiers have a flat calibration.
    """
    count = len(generated_N)
    told = Outcome(np.zeros(count), np.zeros(count), np.zeros(count, bool))
    flat = 0
    for fold in np.unique(parted.fold_N):
        rows = parted.trainable_N & (parted.fold_N != fold)
        out = parted.fold_N == fold
        classifier = fit(features_NF[rows], generated_N[rows], parted.fold_N[rows], rate)
        told.score_N[out] = classifier.score(features_NF[out])
        told.probability_N[out] = classifier.probability(features_NF[out])
        told.called_N[out] = told.probability_N[out] > classifier.threshold
        flat += classifier.flat
    return told, flat


def evaluated(
    samples: Sequence[Sample],
    matrices: Mapping[str, Float64],
    wanted: str,
    generated_N: Bools,
    parted: Folds,
    rate: float,
    seed: int,
) -> dict[str, Any]:
    """``evaluation`` of features, baseline and shuffled labels; ``parts``: detector and baseline by parts.

    ``flat_calibrations`` says how many of the classifiers of an evaluation, one a fold, had nothing to calibrate.
    """
    rows, parts = [], []
    shown = parted.trainable_N
    for name in dict.fromkeys((wanted, *matrices)):
        found, flat = tested(matrices[name], generated_N, parted, rate)
        row = _row(found, generated_N, parted, shown, seed)
        rows.append({"features": name} | row | {"flat_calibrations": flat})
        if name in (wanted, BASELINE):
            told = _parts(samples, found, generated_N, parted, seed)
            parts += [{"features": name} | part for part in told]
    rows.append({"features": SHUFFLED} | _shuffled(matrices[wanted], generated_N, parted, rate, seed))
    return {"evaluation": rows, "parts": parts}


def _shuffled(features_NF: Float64, generated_N: Bools, parted: Folds, rate: float, seed: int) -> dict[str, Any]:
    """Means over some permutations of the labels; the ends are the lowest and the highest of them."""
    shown = parted.trainable_N
    drawn, flat = list[Scores](), 0
    for turn in range(_SHUFFLES):
        labels_N = generated_N.copy()
        labels_N[shown] = np.random.default_rng((seed, 2, turn)).permutation(generated_N[shown])
        found, without = tested(features_NF, labels_N, parted, rate)
        drawn.append(scores(found.of(shown), labels_N[shown]))
        flat += without
    row: dict[str, Any] = {"natural": int((shown & ~generated_N).sum()), "generated": int((shown & generated_N).sum())}
    for name, values in zip(Scores._fields, np.array(drawn).T.tolist()):
        row |= {name: sum(values) / len(values), f"{name}_low": min(values), f"{name}_high": max(values)}
    return row | {"flat_calibrations": flat}


def _row(outcome: Outcome, generated_N: Bools, parted: Folds, rows_N: Bools, seed: int) -> dict[str, Any]:
    return with_intervals(outcome.of(rows_N), generated_N[rows_N], parted.group_N[rows_N], seed)


def _parts(
    samples: Sequence[Sample], outcome: Outcome, generated_N: Bools, parted: Folds, seed: int
) -> list[dict[str, Any]]:
    """Figures by generator and decoding (beside all natural sequence), by length, and of each held-out taxon."""
    open_N = parted.fold_N != HELD_OUT
    found = []
    for kind in ("generator", "decoding"):
        names = [getattr(sample, kind) for sample in samples]
        for name in sorted(set(names) - {""}):
            own = np.array([one == name for one in names]) & generated_N & open_N
            held_out = not bool((own & parted.trainable_N).any())
            rows = own | (~generated_N & open_N)
            if own.any():
                part = {"part": kind, "name": name, "held_out": held_out}
                found.append(part | _row(outcome, generated_N, parted, rows, seed))
    lengths_N = np.array([len(sample.sequence) for sample in samples])
    for name, inside in length_bins(lengths_N, _LENGTH_EDGES):
        rows = inside & parted.trainable_N
        if rows.any():
            found.append(
                {"part": "length", "name": name, "held_out": False} | _row(outcome, generated_N, parted, rows, seed)
            )
    return found + _held_out_parts(samples, outcome, generated_N, parted, seed)


def _held_out_parts(
    samples: Sequence[Sample], outcome: Outcome, generated_N: Bools, parted: Folds, seed: int
) -> list[dict[str, Any]]:
    """Figures of each held-out taxon and genome; beside sequences generated from others where none came from it."""
    genomes = np.array([sample.genome for sample in samples])
    found = []
    wholes = {
        taxon: [name for name, one in parted.held_out.items() if one == taxon] for taxon in parted.held_out.values()
    }
    singles = {name: [name] for name in parted.held_out if name not in wholes}
    for kind, parts in (("taxon", wholes), ("genome", singles)):
        for name, members in parts.items():
            own = np.isin(genomes, members)
            rows = own if (own & generated_N).any() else own | (generated_N & parted.trainable_N)
            part = {"part": kind, "name": name, "held_out": True}
            found.append(part | _row(outcome, generated_N, parted, rows, seed))
    return found


def fold_table(samples: Sequence[Sample], parted: Folds) -> list[dict[str, Any]]:
    """Genomes and counts of every fold, and how much each genome shares with what its fold was trained on."""
    generated_N = np.array([sample.generated for sample in samples], bool)
    found = []
    for fold in np.unique(parted.fold_N):
        inside = parted.fold_N == fold
        genomes = sorted(name for name, other in parted.genomes.items() if other == fold)
        found.append(
            {
                "fold": "held out" if fold == HELD_OUT else int(fold),
                "genomes": genomes,
                "natural": int((inside & ~generated_N).sum()),
                "generated": int((inside & generated_N).sum()),
                "shared_kmers": {name: parted.shared[name] for name in genomes},
            }
        )
    return found
