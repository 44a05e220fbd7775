"""Readouts of the logit lens: the prediction of every layer compared with the final prediction.

B batch, L tokens, K choices (four bases, or the vocabulary), N blocks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from genolm.arrays import Float64
from genolm.models.networks.decoder import Decoder
from genolm.statistics.bootstrap import Estimate, estimate, ratio
from genolm.tasks.reading.log_probabilities import Normalisation
from genolm.tokens.tokenizer import Tokenizer

if TYPE_CHECKING:
    import torch

MEASURES = ("kl", "agrees", "loss")
"""Measures of a readout.

``kl``: KL(final || readout), nats; ``agrees``: 1 if both have the same top choice; ``loss``: negative log-probability
of the next token, nats.
"""


def choices(network: Decoder, tokenizer: Tokenizer, over: Normalisation) -> tuple[int, ...]:
    """Return the token ids that probabilities are normalised over."""
    return tokenizer.base_ids if over == "bases" else tuple(range(network.config.vocab_size))


def readouts(network: Decoder, ids_BL: Tensor, chosen: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Return how every layer's readout predicts each token from those before it.

    A layer is read out through the final norm and the output head.

    Returns:
        :data:`MEASURES` of layers 0 (embedding) to ``num_layers``, fp32 (layers + 1, 3, B, L - 1), and the final
        log-probabilities, (B, L - 1, K). Column t is the prediction of token t + 1.
    """
    last = network.config.num_layers
    hidden = network(ids_BL, layers=range(last + 1), logits=False).hidden
    head = network.head.weight[list(chosen)]
    targets_BL = _choice_indices(chosen, network.config.vocab_size, ids_BL)[:, 1:]
    final_BLK = F.linear(hidden[last][:, :-1], head).float().log_softmax(-1)
    measured = []
    for layer in range(last + 1):
        x_BLD = hidden[layer][:, :-1]
        read_BLK = F.linear(x_BLD if layer == last else network.norm(x_BLD), head).float().log_softmax(-1)
        measured.append(_measure(final_BLK, read_BLK, targets_BL))
    return torch.stack(measured), final_BLK


def _measure(final_BLK: Tensor, read_BLK: Tensor, targets_BL: Tensor) -> Tensor:
    kl_BL = (final_BLK.exp() * (final_BLK - read_BLK)).sum(-1)
    agrees_BL = (final_BLK.argmax(-1) == read_BLK.argmax(-1)).float()
    loss_BL = -read_BLK.gather(-1, targets_BL.clamp_min(0)[..., None])[..., 0]
    return torch.stack((kl_BL, agrees_BL, loss_BL))


def _choice_indices(chosen: tuple[int, ...], vocab_size: int, ids_BL: Tensor) -> Tensor:
    """Return the index of each token among the choices; -1 if it is not a choice."""
    indices = ids_BL.new_full((vocab_size,), -1)
    indices[list(chosen)] = torch.arange(len(chosen), device=ids_BL.device)
    return indices[ids_BL]


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over blocks of predictions.

    Attributes:
        sums_NC: number of predictions; p log p of the final prediction; final probabilities (K); targets (K); top
            choices of the final prediction (K); then the measures of each layer.
        choices: K.
    """

    sums_NC: Float64
    choices: int

    @property
    def layers(self) -> int:
        """Number of layers read out, embedding included."""
        return (self.sums_NC.shape[1] - 2 - 3 * self.choices) // len(MEASURES)

    @property
    def predictions(self) -> int:
        """Number of predicted bases."""
        return int(self.sums_NC[:, 0].sum())

    def layer(self, number: int) -> tuple[Estimate, Estimate, Estimate]:
        """Return KL, agreement and loss of a layer's readout."""
        first = 2 + 3 * self.choices + number * len(MEASURES)
        kl, agrees, loss = (estimate(self.sums_NC, ratio(first + place, 0)) for place in range(len(MEASURES)))
        return kl, agrees, loss

    def uniform(self) -> tuple[Estimate, Estimate, Estimate]:
        """Return KL, agreement and loss of the uniform distribution, whose top choice is random."""
        log_k = math.log(self.choices)
        kl = estimate(self.sums_NC, lambda sums: log_k + sums[:, 1] / sums[:, 0])
        return kl, _exactly(1 / self.choices), _exactly(log_k)

    def unigram(self) -> tuple[Estimate, Estimate, Estimate]:
        """Return KL, agreement and loss of the network's mean prediction, the best constant approximation of it."""
        p, target, top = (slice(2 + place * self.choices, 2 + (place + 1) * self.choices) for place in range(3))

        def log_mean(sums: Float64) -> Float64:
            return np.log(np.maximum(sums[:, p] / sums[:, :1], 1e-300))

        def kl(sums: Float64) -> Float64:
            return np.asarray((sums[:, 1] - (sums[:, p] * log_mean(sums)).sum(1)) / sums[:, 0])

        def agrees(sums: Float64) -> Float64:
            best = sums[:, p].argmax(1)
            return np.asarray(sums[:, top][np.arange(len(sums)), best] / sums[:, 0])

        def loss(sums: Float64) -> Float64:
            return np.asarray(-(sums[:, target] * log_mean(sums)).sum(1) / sums[:, 0])

        return estimate(self.sums_NC, kl), estimate(self.sums_NC, agrees), estimate(self.sums_NC, loss)


def _exactly(value: float) -> Estimate:
    return Estimate(value, value, value)
