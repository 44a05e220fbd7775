"""Calibrated logistic regression: regularisation, calibration and threshold are chosen on held-out folds.

N samples, F features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genolm.arrays import Float64
from genolm.files.optional import require

STRENGTHS = (1e-3, 1e-2, 1e-1)
"""Values of scikit-learn's C to choose from by cross-validation."""

_ROUNDS = 2000
_UNREGULARISED = 1e6  # C of the calibration, which has two parameters only

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Classifier:
    """A calibrated classifier: the probability of being generated at equal priors of both classes.

    Attributes:
        mean_F: mean of each feature.
        scale_F: standard deviation of each feature.
        weight_F: weights of the standardised features.
        intercept: intercept of the score.
        slope: slope of the calibration: probability = sigmoid(slope * score + offset).
        offset: offset of the calibration.
        threshold: sequences with a probability above it are called generated.
        strength: C, chosen by cross-validation.
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
        """Return calibrated probabilities, (N,)."""
        return sigmoid(self.slope * self.score(features_NF) + self.offset)

    def score(self, features_NF: Float64) -> Float64:
        """Return scores before calibration, (N,); higher for generated sequences."""
        return np.asarray(((features_NF - self.mean_F) / self.scale_F) @ self.weight_F + self.intercept)

    @property
    def flat(self) -> bool:
        """Whether the calibration is uninformative: all probabilities are equal, and nothing is called generated."""
        return self.slope == 0


def check_package() -> None:
    """Check that scikit-learn is installed.

    Raises:
        GenolmError: it is not installed.
    """
    _linear()


def fit(features_NF: Float64, generated_N: Bools, fold_N: Ints, rate: float) -> Classifier:
    """Fit a classifier to all samples; choose strength, calibration and threshold by cross-validation over the folds.

    Args:
        features_NF: features.
        generated_N: labels; both classes occur in the union of all folds but any one.
        fold_N: fold of each sample; at least two folds.
        rate: target false-positive rate of the threshold, on held-out natural sequences.
    """
    trials = {strength: _held_out_scores(features_NF, generated_N, fold_N, strength) for strength in STRENGTHS}
    strength = min(trials, key=lambda one: _loss(sigmoid(trials[one]), generated_N))
    slope, offset = calibrated(trials[strength], generated_N)
    natural_N = sigmoid(slope * trials[strength][~generated_N] + offset)
    threshold = float(np.quantile(natural_N, 1 - rate, method="higher"))
    mean_F, scale_F, weight_F, intercept = _fit(features_NF, generated_N, strength)
    return Classifier(mean_F, scale_F, weight_F, intercept, slope, offset, threshold, strength)


def calibrated(score_N: Float64, generated_N: Bools) -> tuple[float, float]:
    """Return slope and offset that turn scores into log-odds (Platt 1999), with both classes weighted equally.

    A negative slope, possible for uninformative scores, is set to zero.
    """
    model = _linear().LogisticRegression(C=_UNREGULARISED, class_weight="balanced", max_iter=_ROUNDS)
    spread = float(score_N.std()) or 1.0
    model.fit(score_N[:, None] / spread, generated_N)
    slope = max(0.0, float(model.coef_[0, 0]) / spread)
    return slope, float(model.intercept_[0]) if slope else 0.0


def sigmoid(score_N: Float64) -> Float64:
    """Return 1 / (1 + exp(-score)), without overflow."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -score_N)))


def _held_out_scores(features_NF: Float64, generated_N: Bools, fold_N: Ints, strength: float) -> Float64:
    """Return the score of every sample by a classifier fitted without its fold."""
    score_N = np.empty(len(generated_N))
    for fold in np.unique(fold_N):
        held_out = fold_N == fold
        mean_F, scale_F, weight_F, intercept = _fit(features_NF[~held_out], generated_N[~held_out], strength)
        score_N[held_out] = ((features_NF[held_out] - mean_F) / scale_F) @ weight_F + intercept
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
    return require("sklearn.linear_model", extra="detect", purpose="a detector", package="scikit-learn")
