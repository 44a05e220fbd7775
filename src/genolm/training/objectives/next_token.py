"""What a decoder is trained to make small: surprise about the next base, and the losses of the router.

Shapes: B rows, L positions predicted from, M = L + 1 tokens of a row, V vocabulary, E experts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.experts import expert_load, load_balancing_loss, router_z_loss


class RouterLosses(NamedTuple):
    """Of one pass.

    Attributes:
        balance: load-balancing loss over all layers, at least ``experts_per_token`` when evenly loaded.
        z: mean square of the router's log-partition.
        load_LE: share of each layer's choices that each expert received, fp32 (layers, E).
    """

    balance: Tensor
    z: Tensor
    load_LE: Tensor


def counted_targets(ids_BM: Tensor, documents_BM: Tensor | None, base_ids: Tensor) -> Tensor:
    """Which positions predict a base of their own document, (B, L)."""
    counted = torch.isin(ids_BM[:, 1:], base_ids)
    if documents_BM is not None:
        counted &= documents_BM[:, 1:] == documents_BM[:, :-1]
    return counted


def next_base_nats(logits_BLV: Tensor, targets_BL: Tensor, counted_BL: Tensor) -> Tensor:
    """Cross-entropy in nats, summed over the counted positions; 0 where there are none."""
    return F.cross_entropy(logits_BLV[counted_BL], targets_BL[counted_BL], reduction="sum")


def next_base_loss(logits_BLV: Tensor, ids_BM: Tensor, documents_BM: Tensor | None, base_ids: Tensor) -> Tensor:
    """Mean cross-entropy in nats over the bases that follow a base of their own document."""
    counted_BL = counted_targets(ids_BM, documents_BM, base_ids)
    return next_base_nats(logits_BLV, ids_BM[:, 1:], counted_BL) / counted_BL.sum()


def router_losses(router: Sequence[Tensor], config: DecoderConfig, counted_BL: Tensor) -> RouterLosses:
    """The router's losses and loads of one pass over the counted positions, of which there is one at least.

    The balance loss is of the tokens that go through the network together, as in Megatron: with several micro-batches
    it is the mean of theirs, and not that of the whole batch.
    """
    chosen = config.experts_per_token
    kept = [one[counted_BL.flatten()] for one in router]
    load_LE = torch.stack([expert_load(one, chosen) for one in kept])
    return RouterLosses(load_balancing_loss(kept, chosen), router_z_loss(kept), load_LE)
