"""A calibrated logistic regression: strength by folds, calibration and threshold on folds it was not trained on.

N samples, F features.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genolm.arrays import Float64
from genolm.errors import GenolmError

STRENGTHS = (1e-3, 1e-2, 1e-1)
"""Values of scikit-learn's C among which folds choose."""

_ROUNDS = 2000
_FREE = 1e6  # C of the calibration, whose two numbers need no penalty

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Classifier:
    """Probability of being generated, as if every second sequence were.

    Attributes:
        mean_F: what is taken from features.
        scale_F: what they are then divided by.
        weight_F: weights of the scaled features.
        intercept: of the score.
        slope: of the calibration: probability = sigmoid(slope * score + offset).
        offset: of the calibration.
        threshold: probabilities above it are called generated.
        strength: C, chosen by folds.
    """

    mean_F: Float64
    scale_F: Float64
    weight_F: Float64
    intercept: float
    slope: float
    offset: float
    threshold: float
    strength: float

    def probability(self, features_NF: Float64) -> Float64:
        """Calibrated probabilities, (N,)."""
        return sigmoid(self.slope * self.score(features_NF) + self.offset)

    def score(self, features_NF: Float64) -> Float64:
        """What is calibrated: higher for what is more like generated sequence, (N,)."""
        return np.asarray(((features_NF - self.mean_F) / self.scale_F) @ self.weight_F + self.intercept)

    @property
    def flat(self) -> bool:
        """Whether scores told nothing when they were calibrated: every probability is one half, and nothing called."""
        return self.slope == 0


def check_package() -> None:
    """Looks, before anything is computed, whether scikit-learn is there.

    Raises:
        GenolmError: it is not.
    """
    _linear()


def fit(features_NF: Float64, generated_N: Bools, fold_N: Ints, rate: float) -> Classifier:
    """Fits on all samples; the strength, the calibration and the threshold come from folds left out in turn.

    Args:
        features_NF: features.
        generated_N: labels, both kinds in all folds but any one.
        fold_N: fold numbers, at least two.
        rate: false-positive rate, on natural sequences left out, that the threshold is set for.
    """
    trials = {strength: _left_out(features_NF, generated_N, fold_N, strength) for strength in STRENGTHS}
    strength = min(trials, key=lambda one: _loss(sigmoid(trials[one]), generated_N))
    slope, offset = calibrated(trials[strength], generated_N)
    natural_N = sigmoid(slope * trials[strength][~generated_N] + offset)
    threshold = float(np.quantile(natural_N, 1 - rate, method="higher"))
    mean_F, scale_F, weight_F, intercept = _fit(features_NF, generated_N, strength)
    return Classifier(mean_F, scale_F, weight_F, intercept, slope, offset, threshold, strength)


def calibrated(score_N: Float64, generated_N: Bools) -> tuple[float, float]:
    """Slope and offset that turn scores into log-odds (Platt 1999), both kinds counted as if equally many.

    A negative slope, which scores that tell nothing can have, is set to zero.
    """
    model = _linear().LogisticRegression(C=_FREE, class_weight="balanced", max_iter=_ROUNDS)
    spread = float(score_N.std()) or 1.0
    model.fit(score_N[:, None] / spread, generated_N)
    slope = max(0.0, float(model.coef_[0, 0]) / spread)
    return slope, float(model.intercept_[0]) if slope else 0.0


def sigmoid(score_N: Float64) -> Float64:
    """1 / (1 + exp(-score)), without overflow."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -score_N)))


def _left_out(features_NF: Float64, generated_N: Bools, fold_N: Ints, strength: float) -> Float64:
    """The score of every sample from a model that its fold had no part in."""
    score_N = np.empty(len(generated_N))
    for fold in np.unique(fold_N):
        out = fold_N == fold
        mean_F, scale_F, weight_F, intercept = _fit(features_NF[~out], generated_N[~out], strength)
        score_N[out] = ((features_NF[out] - mean_F) / scale_F) @ weight_F + intercept
    return score_N


def _fit(features_NF: Float64, generated_N: Bools, strength: float) -> tuple[Float64, Float64, Float64, float]:
    spread_F = features_NF.std(0)
    mean_F, scale_F = features_NF.mean(0), np.where(spread_F > 1e-12, spread_F, 1.0)
    model = _linear().LogisticRegression(C=strength, class_weight="balanced", max_iter=_ROUNDS)
    model.fit((features_NF - mean_F) / scale_F, generated_N)
    return mean_F, scale_F, np.asarray(model.coef_[0], np.float64), float(model.intercept_[0])


def _loss(probability_N: Float64, generated_N: Bools) -> float:
    clipped = probability_N.clip(1e-12, 1 - 1e-12)
    return float(-np.log(clipped[generated_N]).mean() - np.log(1 - clipped[~generated_N]).mean())


def _linear() -> Any:
    try:
        return import_module("sklearn.linear_model")
    except ImportError:
        raise GenolmError(
            "training a detector needs scikit-learn, which is not installed: pip install 'genolm[detect]'"
        ) from None
