"""Sampling of the next base or token from a model's probabilities.

Shapes: B sequences, V choices: four bases in ACGT order, or the ids of a vocabulary.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from genolm.errors import InputError
from genolm.parameters import AtLeast, Between, Shown

Temperature = Annotated[float, AtLeast(0), Shown("T")]
TopK = Annotated[int, AtLeast(0), Shown("K")]
TopP = Annotated[float, Between(0, 1), Shown("P")]
Penalty = Annotated[float, Shown("X")]

_LARGEST = sys.float_info.max


@dataclass(frozen=True, slots=True)
class Sampler:
    """Settings for sampling the next base or token; applied in the order of the fields.

    Attributes:
        repetition_penalty: penalty above 0 for tokens that already occurred: negative scores are multiplied by it and
            positive scores divided by it (Keskar et al. 2019), so that values above 1 make them less likely.
        temperature: divisor of the scores; 0 always takes the most likely choice (ties: the first).
        top_k: sample only from the k most likely choices (ties: the first); 0 for all.
        top_p: sample only from the most likely choices that together reach probability p, at least one; 1 for all.

    Raises:
        InputError: if a value is out of range.
    """

    repetition_penalty: float = 1.0
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        _check(0 <= self.temperature < math.inf, "temperature must be at least 0", self.temperature)
        _check(self.top_k >= 0, "top_k must be at least 0 (0: all choices)", self.top_k)
        _check(0 <= self.top_p <= 1, "top_p must be from 0 to 1", self.top_p)
        _check(0 < self.repetition_penalty < math.inf, "repetition_penalty must be above 0", self.repetition_penalty)

    def probabilities(self, scores_BV: Tensor, written_BV: Tensor) -> Tensor:
        """Return the probabilities to sample from, float64 (B, V); each row sums to one.

        Args:
            scores_BV: log-probabilities or logits of the model, on the CPU; minus infinity for excluded choices.
            written_BV: True for choices that already occurred in the sequence.
        """
        best, order = self._penalised(scores_BV, written_BV).sort(dim=-1, descending=True, stable=True)
        if self.temperature == 0:
            best = best.masked_fill(torch.arange(best.shape[1], device=best.device) > 0, float("-inf"))
        else:
            best = (best - best[:, :1]) / self.temperature
        kept = self._kept(best.softmax(-1))
        weights = best.masked_fill(~kept, float("-inf")).softmax(-1)
        return torch.zeros_like(weights).scatter(-1, order, weights)

    def choose(self, scores_BV: Tensor, written_BV: Tensor, uniform_B: Tensor) -> Tensor:
        """Return one choice per row, int64 (B,), equal to :func:`draw` from :meth:`probabilities` but faster.

        Args:
            scores_BV: as for :meth:`probabilities`.
            written_BV: as for :meth:`probabilities`; ignored without a repetition penalty.
            uniform_B: random numbers in [0, 1), float64.
        """
        if self.repetition_penalty != 1:
            scores_BV = self._penalised(scores_BV, written_BV)
        if self.temperature == 0:
            return _likeliest(scores_BV)
        ids_BK = _largest(scores_BV, self.top_k) if 0 < self.top_k < scores_BV.shape[1] else None
        scores_BK = (scores_BV if ids_BK is None else scores_BV.gather(1, ids_BK)).double()
        weights_BK = (scores_BK - scores_BK.amax(-1, keepdim=True)).div_(self.temperature).exp_()
        if self.top_p < 1:
            # Sorting values alone is many times faster than sorting them with their ids.
            falling_BK = torch.from_numpy(np.sort(weights_BK.numpy(), axis=1)).flip(1)
            _keep_largest(weights_BK, falling_BK, self._nucleus(falling_BK).sum(1))
        chosen_B = draw(weights_BK, uniform_B)
        return chosen_B if ids_BK is None else ids_BK.gather(1, chosen_B[:, None])[:, 0]

    def _penalised(self, scores_BV: Tensor, written_BV: Tensor) -> Tensor:
        scores_BV = scores_BV.double()
        penalised = torch.where(scores_BV < 0, scores_BV * self.repetition_penalty, scores_BV / self.repetition_penalty)
        # Clamped, because minus infinity marks excluded choices.
        penalised = penalised.clamp(-_LARGEST, _LARGEST)
        return torch.where(written_BV & scores_BV.isfinite(), penalised, scores_BV)

    def _kept(self, falling_BV: Tensor) -> Tensor:
        """Return a mask of the probabilities, in descending order, that can be sampled."""
        kept = torch.ones_like(falling_BV, dtype=torch.bool)
        if self.top_k:
            kept[:, self.top_k :] = False
        return kept & self._nucleus(falling_BV * kept)

    def _nucleus(self, falling_BV: Tensor) -> Tensor:
        # A choice belongs to the nucleus if those before it have not reached p; the first always does.
        before = falling_BV.cumsum(-1) - falling_BV
        nucleus = before < self.top_p * falling_BV.sum(-1, keepdim=True)
        nucleus[:, 0] = True
        return nucleus


def _likeliest(scores_BV: Tensor) -> Tensor:
    """Return the index of the largest value of each row (ties: the first); numpy is several times faster here."""
    return torch.from_numpy(scores_BV.numpy().argmax(1))


def _largest(scores_BV: Tensor, count: int) -> Tensor:
    """Return the indices of the ``count`` largest values of each row, ascending (ties: the first), int64 (B, count)."""
    scores = scores_BV.numpy()
    least = np.partition(scores, -count, axis=1)[:, -count, None]
    reaching = scores >= least
    for row in (reaching.sum(1) > count).nonzero()[0]:
        equal = (scores[row] == least[row]).nonzero()[0]
        reaching[row, equal[count - reaching[row].sum() :]] = False
    return torch.from_numpy(np.flatnonzero(reaching).reshape(len(scores), count) % scores.shape[1])


def _keep_largest(weights_BV: Tensor, falling_BK: Tensor, count_B: Tensor) -> None:
    """Set all but the ``count`` largest weights of each row to zero in place (ties: the first are kept).

    Args:
        weights_BV: non-negative weights.
        falling_BK: at least the ``count`` largest of them, in descending order.
        count_B: number of weights to keep, at least one.
    """
    least_B1 = falling_BK.gather(1, (count_B - 1)[:, None])
    smaller_BV = weights_BV < least_B1
    equal_BV = weights_BV == least_B1
    ties_B = count_B - (weights_BV > least_B1).sum(1)
    if bool((equal_BV.sum(1) > ties_B).any()):
        smaller_BV |= equal_BV & (equal_BV.cumsum(1) > ties_B[:, None])
    weights_BV.masked_fill_(smaller_BV, 0.0)


def draw(weights_BV: Tensor, uniform_B: Tensor) -> Tensor:
    """Sample one choice per row by inverting the cumulative weights; int64 (B,) in 0..V-1.

    Args:
        weights_BV: non-negative weights, float64; rows need not sum to one.
        uniform_B: random numbers in [0, 1), float64.
    """
    cumulated = weights_BV.cumsum(-1)
    reached = cumulated <= (uniform_B * cumulated[:, -1])[:, None]
    # Rounding must not select a choice of weight zero.
    last = weights_BV.shape[1] - 1 - (weights_BV.flip(-1) > 0).int().argmax(-1)
    return torch.minimum(reached.sum(-1), last)


def random_stream(seed: int, prompt: int, sample: int) -> np.random.Generator:
    """Return the random number generator of one sequence; its numbers depend on these arguments alone."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed % 2**64, prompt, sample])))


def _check(holds: bool, message: str, value: float) -> None:
    if not holds:
        raise InputError(message, value=value)
