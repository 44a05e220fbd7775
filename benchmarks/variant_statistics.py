"""AUROCs of several measures on the same variants, with two kinds of bootstrap. M: number of variants.

Variants of one gene are not independent: they share its sequence, its disease and their classifiers. Each figure
therefore has two 95 % percentile intervals: over resampled variants (class sizes are kept), and over resampled loci,
which is the one to report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genolm.statistics.auroc import auroc

Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]
RESAMPLES = 1000
SEED = 0


def resampled_variants(positive_M: Bool) -> Float64:
    """Return how often each variant is resampled, (RESAMPLES, M); class sizes are kept."""
    random = np.random.default_rng(SEED)
    weights_RM = np.zeros((RESAMPLES, len(positive_M)))
    for own in (positive_M, ~positive_M):
        weights_RM[:, own] = _counts(random, int(own.sum()))
    return weights_RM


def resampled_loci(loci: Sequence[str]) -> Float64:
    """Return how often each variant is resampled with its locus, (RESAMPLES, M)."""
    names, own_M = np.unique(np.array(loci), return_inverse=True)
    return _counts(np.random.default_rng(SEED), len(names))[:, own_M]


def _counts(random: np.random.Generator, count: int) -> Float64:
    """Return bootstrap counts: how often each of ``count`` items is resampled, (RESAMPLES, count)."""
    if not count:
        return np.zeros((RESAMPLES, 0))
    return random.multinomial(count, np.full(count, 1 / count), size=RESAMPLES).astype(np.float64)


def compare(
    measures: Mapping[str, Float64], positive_M: Bool, loci: Sequence[str], pairs: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    """Return the AUROC of each measure and the paired difference of each pair, with both intervals.

    Args:
        measures: values by name, (M,), higher for variants predicted to be more damaging; NaN if undefined.
        positive_M: whether each variant is (likely) pathogenic; the others are (likely) benign.
        loci: gene or bin of each variant.
        pairs: names (a, b) of measures: AUROC of a minus that of b, on the variants that have both.
    """
    weights = {"interval_variants": resampled_variants(positive_M), "interval_loci": resampled_loci(loci)}
    areas = {name: _figure([values], positive_M, weights) for name, values in measures.items()}
    differences = [
        {"of": a, "minus": b, **_figure([measures[a], measures[b]], positive_M, weights)}
        for a, b in pairs
        if a in measures and b in measures
    ]
    return {"auroc": areas, "differences": differences}


def _figure(values: list[Float64], positive_M: Bool, weights: Mapping[str, Float64]) -> dict[str, Any]:
    """Return the AUROC of one measure, or the AUROC of the first minus that of the second."""
    known_M = np.isfinite(values).all(0)
    counts = {"LP": int((known_M & positive_M).sum()), "LB": int((known_M & ~positive_M).sum())}
    if not all(counts.values()):
        return {"value": None, **counts}
    chosen = [one[known_M] for one in values]
    told: dict[str, Any] = {"value": round(float(_difference(chosen, positive_M[known_M], None)[0]), 4), **counts}
    for name, weights_RM in weights.items():
        drawn = _difference(chosen, positive_M[known_M], weights_RM[:, known_M])
        drawn = drawn[np.isfinite(drawn)]  # a resample of loci may lack a class
        told[name] = [round(float(bound), 4) for bound in np.quantile(drawn, [0.025, 0.975])]
    return told


def _difference(values: list[Float64], positive_M: Bool, weights_RM: Float64 | None) -> Float64:
    areas = [auroc(one, positive_M, weights_RM) for one in values]
    return areas[0] if len(areas) == 1 else areas[0] - areas[1]
