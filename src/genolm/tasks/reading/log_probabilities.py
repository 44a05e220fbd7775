"""Log-probabilities of bases under a causal model, in fp32. B sequences, L tokens, D dimensions, V vocabulary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from genolm.models.model import Model

Normalisation = Literal["bases", "vocabulary"]
"""What the probabilities of one position add up to one over: A, C, G and T, or all tokens of the model."""

_HEAD_VALUES = 1 << 24  # logits held at a time: bounds memory for large vocabularies


def base_log_probs(model: Model, x_BLD: Tensor) -> Tensor:
    """Log-probabilities of A, C, G, T to come next, renormalised over these four; fp32 (B, L, 4).

    Only four rows of the head are computed.

    Args:
        model: whose head is used.
        x_BLD: hidden states after the final norm.
    """
    bases = list(model.tokenizer.base_ids)
    return F.linear(x_BLD, model.decoder.head.weight[bases]).float().log_softmax(-1)


def token_log_probs(model: Model, x_BLD: Tensor, targets_BL: Tensor, *, normalise: Normalisation = "bases") -> Tensor:
    """Log-probability of each target given the hidden state of the position before it, in nats; fp32 (B, L).

    Args:
        model: whose head is used.
        x_BLD: hidden states after the final norm, of the positions before the targets.
        targets_BL: token ids.
        normalise: ``bases`` renormalises over A, C, G, T and gives NaN for any other target; ``vocabulary`` does not.
    """
    if normalise == "vocabulary":
        return _over_vocabulary(model, x_BLD, targets_BL)
    places = targets_BL.new_full((model.config.vocab_size,), -1)
    places[list(model.tokenizer.base_ids)] = torch.arange(4, device=places.device)
    place_BL = places[targets_BL]
    found = base_log_probs(model, x_BLD).gather(-1, place_BL.clamp_min(0)[..., None])[..., 0]
    return found.masked_fill(place_BL < 0, float("nan"))


def _over_vocabulary(model: Model, x_BLD: Tensor, targets_BL: Tensor) -> Tensor:
    step = max(1, _HEAD_VALUES // (model.config.vocab_size * len(x_BLD)))
    pieces = []
    for x, targets in zip(x_BLD.split(step, 1), targets_BL.split(step, 1)):
        logits = model.decoder.head(x).float()
        pieces.append(logits.gather(-1, targets[..., None])[..., 0] - logits.logsumexp(-1))
    return torch.cat(pieces, 1) if pieces else x_BLD.new_empty(targets_BL.shape, dtype=torch.float32)
