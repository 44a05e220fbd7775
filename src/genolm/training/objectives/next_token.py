"""Next-token prediction: targets, loss, and the auxiliary losses of the router.

Shapes: B rows, L positions predicted from, M = L + 1 tokens of a row, V vocabulary, E experts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.experts import expert_load, load_balancing_loss, router_z_loss
from genolm.tokens.bpe import BpeTokenizer
from genolm.tokens.tokenizer import Tokenizer


class RouterLosses(NamedTuple):
    """Router losses of one pass.

    Attributes:
        balance: load-balancing loss over all layers; ``experts_per_token`` if the load is even, else larger.
        z: mean square of the router's log-partition function.
        load_LE: fraction of each layer's assignments that each expert received, fp32, (layers, E).
    """

    balance: Tensor
    z: Tensor
    load_LE: Tensor


def counted_targets(ids_BM: Tensor, documents_BM: Tensor | None, base_ids: Tensor) -> Tensor:
    """Return which positions predict a base of their own document, (B, L)."""
    counted = torch.isin(ids_BM[:, 1:], base_ids)
    if documents_BM is not None:
        counted &= documents_BM[:, 1:] == documents_BM[:, :-1]
    return counted


def next_base_nats(logits_BLV: Tensor, targets_BL: Tensor, counted_BL: Tensor) -> Tensor:
    """Return the cross-entropy in nats, summed over the counted positions; 0 if there are none."""
    return F.cross_entropy(logits_BLV[counted_BL], targets_BL[counted_BL], reduction="sum")


def next_base_loss(logits_BLV: Tensor, ids_BM: Tensor, documents_BM: Tensor | None, base_ids: Tensor) -> Tensor:
    """Return the mean cross-entropy in nats over the bases that follow a base of their own document."""
    counted_BL = counted_targets(ids_BM, documents_BM, base_ids)
    return next_base_nats(logits_BLV, ids_BM[:, 1:], counted_BL) / counted_BL.sum()


def router_losses(router: Sequence[Tensor], config: DecoderConfig, counted_BL: Tensor) -> RouterLosses:
    """Return the router's losses and loads of one pass over the counted positions; there must be at least one.

    The balance loss is computed over the tokens of one pass, as in Megatron: with several micro-batches it is the mean
    of their losses, not the loss of the batch.
    """
    active = config.experts_per_token
    counted = [logits[counted_BL.flatten()] for logits in router]
    load_LE = torch.stack([expert_load(logits, active) for logits in counted])
    return RouterLosses(load_balancing_loss(counted, active), router_z_loss(counted), load_LE)


def target_tokens(tokenizer: Tokenizer) -> NDArray[np.bool_]:
    """Return which token ids consist of A, C, G and T only, (vocab_size,); only these are targets of a loss."""
    targets_V = np.zeros(tokenizer.vocab_size, bool)
    if isinstance(tokenizer, BpeTokenizer):
        pieces = tokenizer.vocabulary.pieces
        targets_V[[number for piece, number in pieces.items() if not set(piece) - set("ACGT")]] = True
    else:
        targets_V[list(tokenizer.base_ids)] = True
    return targets_V


def target_bases(tokenizer: Tokenizer, rows: int) -> NDArray[np.int64]:
    """Return the bases of each target token, 0 for all others, for an embedding of ``rows`` rows."""
    bases_V = np.zeros(rows, np.int64)
    targets_V = target_tokens(tokenizer)
    bases_V[: len(targets_V)] = np.where(targets_V, tokenizer.lengths, 0)
    return bases_V
