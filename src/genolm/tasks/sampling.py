"""How the next base is drawn from a model's probabilities. B sequences; the four bases are in ACGT order."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genolm.errors import InputError


@dataclass(frozen=True, slots=True)
class Sampler:
    """Rules for drawing the next base; they apply in the order of the fields.

    Attributes:
        repetition_penalty: above 0; the log-probability of a base that was already written is multiplied by it, so
            that above 1 it becomes less likely.
        temperature: log-probabilities are divided by it; 0 takes the likeliest base (of equals the first of ACGT).
        top_k: only the k likeliest bases can be drawn; 0 for all.
        top_p: only the likeliest bases that together reach p, at least one, can be drawn; 1 for all.

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

    def probabilities(self, log_probs_B4: Tensor, written_B4: Tensor) -> Tensor:
        """What is drawn from: float64 (B, 4), rows adding up to one.

        Args:
            log_probs_B4: of A, C, G, T, under the model; on the CPU, as not every device has float64.
            written_B4: True where a base was already generated in that sequence.
        """
        log_probs_B4 = log_probs_B4.double()
        log_probs_B4 = torch.where(written_B4, log_probs_B4 * self.repetition_penalty, log_probs_B4)
        best, order = log_probs_B4.sort(dim=-1, descending=True, stable=True)
        if self.temperature == 0:
            best = best.masked_fill(torch.arange(4, device=best.device) > 0, float("-inf"))
        else:
            best = (best - best[:, :1]) / self.temperature
        kept = self._kept(best.softmax(-1))
        weights = best.masked_fill(~kept, float("-inf")).softmax(-1)
        return torch.zeros_like(weights).scatter(-1, order, weights)

    def _kept(self, falling_B4: Tensor) -> Tensor:
        """Which of the probabilities, sorted downwards, can be drawn."""
        kept = torch.ones_like(falling_B4, dtype=torch.bool)
        if self.top_k:
            kept[:, self.top_k :] = False
        # A base belongs to the nucleus while those before it have not reached p; the first always does.
        falling_B4 = falling_B4 * kept
        before = falling_B4.cumsum(-1) - falling_B4
        nucleus = before < self.top_p * falling_B4.sum(-1, keepdim=True)
        nucleus[:, 0] = True
        return kept & nucleus


def draw(probabilities_B4: Tensor, uniform_B: Tensor) -> Tensor:
    """One base for each row by the inverse of the cumulated probabilities; int64 (B,) in 0..3.

    Args:
        probabilities_B4: rows adding up to one, float64.
        uniform_B: numbers in [0, 1), float64.
    """
    cumulated = probabilities_B4.cumsum(-1)
    reached = cumulated <= (uniform_B * cumulated[:, -1])[:, None]
    # Rounding must not end on a base that cannot be drawn.
    last = 3 - (probabilities_B4.flip(-1) > 0).int().argmax(-1)
    return torch.minimum(reached.sum(-1), last)


def uniforms(seed: int, prompt: int, sample: int, count: int) -> NDArray[np.float64]:
    """The random numbers of one sequence, in [0, 1): they depend on these arguments alone, never on a batch."""
    stream = np.random.SeedSequence([seed % 2**64, prompt, sample])
    return np.random.Generator(np.random.PCG64(stream)).random(count)


def _check(holds: bool, message: str, value: float) -> None:
    if not holds:
        raise InputError(message, value=value)
