"""What a network would predict if it stopped after a layer, against what it predicts in the end.

B batch, L tokens, K choices (four bases, or the whole vocabulary).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from genolm.models.networks.decoder import Decoder
from genolm.tasks.reading.log_probabilities import Normalisation
from genolm.tokens.tokenizer import Tokenizer

MEASURES = ("kl", "agrees", "loss")
"""Of one prediction read out after a layer: KL(final || readout), nats; 1 where both prefer the same choice; minus the
log-probability of what comes next, nats."""


def choices(network: Decoder, tokenizer: Tokenizer, over: Normalisation) -> tuple[int, ...]:
    """The token ids that probabilities add up to one over."""
    return tokenizer.base_ids if over == "bases" else tuple(range(network.config.vocab_size))


def readouts(network: Decoder, ids_BL: Tensor, chosen: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """How every layer's readout predicts each token from those before it.

    A layer is read out through the final norm and the head, as if it were the last.

    Returns:
        The :data:`MEASURES` of layers 0 (embedding) to ``num_layers``, fp32 (layers + 1, 3, B, L - 1), and the final
        log-probabilities, (B, L - 1, K). Column t is the prediction for token t + 1.
    """
    last = network.config.num_layers
    hidden = network(ids_BL, layers=range(last + 1), logits=False).hidden
    head = network.head.weight[list(chosen)]
    targets_BL = _places(chosen, network.config.vocab_size, ids_BL)[:, 1:]
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


def _places(chosen: tuple[int, ...], vocab_size: int, ids_BL: Tensor) -> Tensor:
    """Each token's place among the choices; -1 where it is none."""
    places = ids_BL.new_full((vocab_size,), -1)
    places[list(chosen)] = torch.arange(len(chosen), device=ids_BL.device)
    return places[ids_BL]
