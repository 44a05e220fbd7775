"""Log-probabilities of bases and tokens under a decoder, in fp32. B sequences, L tokens, D dimensions, V vocabulary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from genolm.models.model import Model

Normalisation = Literal["bases", "vocabulary"]
"""Set over which the probabilities of a position sum to one: A, C, G and T, or all tokens of the model."""

_HEAD_VALUES = 1 << 24  # logits in memory at a time


def base_log_probs(model: Model, x_BLD: Tensor) -> Tensor:
    """Return log-probabilities of A, C, G and T as the next token, renormalised over these four; fp32 (B, L, 4).

    Only four rows of the head are computed.

    Args:
        model: a decoder.
        x_BLD: hidden states after the final norm.
    """
    bases = list(model.tokenizer.base_ids)
    return F.linear(x_BLD, model.decoder.head.weight[bases]).float().log_softmax(-1)


def token_log_probs(model: Model, x_BLD: Tensor, targets_BL: Tensor, *, normalise: Normalisation = "bases") -> Tensor:
    """Return the log-probability of each target in nats, fp32 (B, L).

    Args:
        model: a decoder.
        x_BLD: hidden states after the final norm, at the positions before the targets.
        targets_BL: token ids.
        normalise: ``bases`` renormalises over A, C, G and T, with NaN for any other target; ``vocabulary`` does not.
    """
    if normalise == "vocabulary":
        return _over_vocabulary(model, x_BLD, targets_BL)
    columns_V = targets_BL.new_full((model.config.vocab_size,), -1)
    columns_V[list(model.tokenizer.base_ids)] = torch.arange(4, device=columns_V.device)
    column_BL = columns_V[targets_BL]
    values_BL = base_log_probs(model, x_BLD).gather(-1, column_BL.clamp_min(0)[..., None])[..., 0]
    return values_BL.masked_fill(column_BL < 0, float("nan"))


def _over_vocabulary(model: Model, x_BLD: Tensor, targets_BL: Tensor) -> Tensor:
    step = max(1, _HEAD_VALUES // (model.config.vocab_size * len(x_BLD)))
    pieces = []
    for x, targets in zip(x_BLD.split(step, 1), targets_BL.split(step, 1)):
        logits = model.decoder.head(x).float()
        pieces.append(logits.gather(-1, targets[..., None])[..., 0] - logits.logsumexp(-1))
    return torch.cat(pieces, 1) if pieces else x_BLD.new_empty(targets_BL.shape, dtype=torch.float32)
