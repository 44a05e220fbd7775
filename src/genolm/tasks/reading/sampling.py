"""How the next base or token is drawn from a model's probabilities.

Shapes: B sequences, V things to choose from: four bases in ACGT order, or the ids of a vocabulary.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genolm.errors import InputError

_LARGEST = sys.float_info.max


@dataclass(frozen=True, slots=True)
class Sampler:
    """Rules for drawing the next base or token; they apply in the order of the fields.

    Attributes:
        repetition_penalty: above 0; the score of what was already written is multiplied by it where the score is
            negative, as log-probabilities are, and divided by it where it is positive (Keskar et al. 2019), so that
            above 1 it becomes less likely.
        temperature: scores are divided by it; 0 takes the likeliest (of equals the first).
        top_k: only the k likeliest can be drawn (of equals the first); 0 for all.
        top_p: only the likeliest that together reach p, at least one, can be drawn; 1 for all.

    Raises:
        InputError: a value out of its range.
    """

    repetition_penalty: float = 1.0
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        _check(0 <= self.temperature < math.inf, "temperature is 0 or more", self.temperature)
        _check(self.top_k >= 0, "top_k is 0 (all bases) or more", self.top_k)
        _check(0 <= self.top_p <= 1, "top_p is from 0 to 1", self.top_p)
        _check(0 < self.repetition_penalty < math.inf, "repetition_penalty is more than 0", self.repetition_penalty)

    def probabilities(self, scores_BV: Tensor, written_BV: Tensor) -> Tensor:
        """What is drawn from, by definition: float64 (B, V), rows adding up to one.

        Args:
            scores_BV: log-probabilities or logits under the model, minus infinity for what may not be drawn; on the
                CPU, as not every device has float64.
            written_BV: True for what was already written in that sequence.
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
        """One of V for each row, int64 (B,): what :func:`draw` takes from :meth:`probabilities`, without sorting ids.

        Args:
            scores_BV: as for :meth:`probabilities`.
            written_BV: as for :meth:`probabilities`; not looked at without a repetition penalty.
            uniform_B: numbers in [0, 1), float64.
        """
        if self.repetition_penalty != 1:
            scores_BV = self._penalised(scores_BV, written_BV)
        if self.temperature == 0:
            return _likeliest(scores_BV)
        ids_BK = _largest(scores_BV, self.top_k) if 0 < self.top_k < scores_BV.shape[1] else None
        scores_BK = (scores_BV if ids_BK is None else scores_BV.gather(1, ids_BK)).double()
        weights_BK = (scores_BK - scores_BK.amax(-1, keepdim=True)).div_(self.temperature).exp_()
        if self.top_p < 1:
            # Sorting numbers alone is many times quicker than sorting them with their ids.
            falling_BK = torch.from_numpy(np.sort(weights_BK.numpy(), axis=1)).flip(1)
            _keep_largest(weights_BK, falling_BK, self._nucleus(falling_BK).sum(1))
        chosen_B = draw(weights_BK, uniform_B)
        return chosen_B if ids_BK is None else ids_BK.gather(1, chosen_B[:, None])[:, 0]

    def _penalised(self, scores_BV: Tensor, written_BV: Tensor) -> Tensor:
        scores_BV = scores_BV.double()
        penalised = torch.where(scores_BV < 0, scores_BV * self.repetition_penalty, scores_BV / self.repetition_penalty)
        # An extreme penalty must leave something to choose: only what may not be drawn is minus infinity.
        penalised = penalised.clamp(-_LARGEST, _LARGEST)
        return torch.where(written_BV & scores_BV.isfinite(), penalised, scores_BV)

    def _kept(self, falling_BV: Tensor) -> Tensor:
        """Which of the probabilities, sorted downwards, can be drawn."""
        kept = torch.ones_like(falling_BV, dtype=torch.bool)
        if self.top_k:
            kept[:, self.top_k :] = False
        return kept & self._nucleus(falling_BV * kept)

    def _nucleus(self, falling_BV: Tensor) -> Tensor:
        # A choice belongs to the nucleus while those before it have not reached p; the first always does.
        before = falling_BV.cumsum(-1) - falling_BV
        nucleus = before < self.top_p * falling_BV.sum(-1, keepdim=True)
        nucleus[:, 0] = True
        return nucleus


def _likeliest(scores_BV: Tensor) -> Tensor:
    """The largest of each row, of equals the first; numpy finds it several times sooner than torch."""
    return torch.from_numpy(scores_BV.numpy().argmax(1))


def _largest(scores_BV: Tensor, count: int) -> Tensor:
    """Numbers of the ``count`` largest of each row, rising; of equals the first. Int64 (B, count)."""
    scores = scores_BV.numpy()
    least = np.partition(scores, -count, axis=1)[:, -count, None]
    reaching = scores >= least
    for row in (reaching.sum(1) > count).nonzero()[0]:
        equal = (scores[row] == least[row]).nonzero()[0]
        reaching[row, equal[count - reaching[row].sum() :]] = False
    return torch.from_numpy(np.flatnonzero(reaching).reshape(len(scores), count) % scores.shape[1])


def _keep_largest(weights_BV: Tensor, falling_BK: Tensor, count_B: Tensor) -> None:
    """Sets all but the ``count`` largest weights of each row to zero in place; of equals the first stay.

    Args:
        weights_BV: not negative.
        falling_BK: at least the ``count`` largest of them, sorted downwards.
        count_B: how many stay, at least one.
    """
    least_B1 = falling_BK.gather(1, (count_B - 1)[:, None])
    smaller_BV = weights_BV < least_B1
    equal_BV = weights_BV == least_B1
    room_B = count_B - (weights_BV > least_B1).sum(1)
    if bool((equal_BV.sum(1) > room_B).any()):
        smaller_BV |= equal_BV & (equal_BV.cumsum(1) > room_B[:, None])
    weights_BV.masked_fill_(smaller_BV, 0.0)


def draw(weights_BV: Tensor, uniform_B: Tensor) -> Tensor:
    """One of V for each row by the inverse of the cumulated weights; int64 (B,) in 0..V-1.

    Args:
        weights_BV: not negative, float64; rows need not add up to one.
        uniform_B: numbers in [0, 1), float64.
    """
    cumulated = weights_BV.cumsum(-1)
    reached = cumulated <= (uniform_B * cumulated[:, -1])[:, None]
    # Rounding must not end on what cannot be drawn.
    last = weights_BV.shape[1] - 1 - (weights_BV.flip(-1) > 0).int().argmax(-1)
    return torch.minimum(reached.sum(-1), last)


def uniforms(seed: int, prompt: int, sample: int, count: int) -> NDArray[np.float64]:
    """The random numbers of one sequence, in [0, 1): they depend on these arguments alone, never on a batch."""
    return stream(seed, prompt, sample).random(count)


def stream(seed: int, prompt: int, sample: int) -> np.random.Generator:
    """Where the numbers of :func:`uniforms` come from, for a sequence whose length nobody knows beforehand."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed % 2**64, prompt, sample])))


def _check(holds: bool, message: str, value: float) -> None:
    if not holds:
        raise InputError(message, value=value)
