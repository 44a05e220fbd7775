"""In-silico mutagenesis of any sequence: what every substitution does to an objective.

The reference is run once; a substitution then continues its cache from the changed base on. L bases, N branches.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from genolm.models.networks.decoder import Decoder
from genolm.tasks.explain.attribution_methods import Objective, one_hot

_BRANCH_TOKENS = 16_384  # of one batch of branches, pads included


@torch.inference_mode()
def substitution_effects(
    network: Decoder, ids_L: Tensor, objective: Objective, window: range, base_ids: tuple[int, int, int, int]
) -> NDArray[np.float32]:
    """Objective with each base in place, minus the objective of the sequence; nats, (len(window), 4).

    0 at the reference and after the objective's last base, NaN at N.

    Args:
        network: the decoder.
        ids_L: token ids of the sequence.
        objective: what is added up.
        window: positions to substitute, 0-based.
        base_ids: ids of A, C, G, T.
    """
    cache = network.new_cache(branches=True)
    last = network.config.num_layers
    x_LD = network(ids_L[None], cache=cache, layers=(last,), logits=False).hidden[last][0]
    head = network.head.weight[list(base_ids)]
    reference_L4 = F.linear(x_LD, head).float().log_softmax(-1)
    known_L4 = one_hot(ids_L, base_ids)
    terms_L = (reference_L4[:-1] * known_L4[1:]).sum(-1)  # term t: log p of base t + 1
    effects = np.full((len(window), 4), np.nan, np.float32)
    own = known_L4.bool().cpu().numpy()
    places = [place for place in window if own[place].any()]
    effects[[place - window.start for place in places]] = 0.0
    changes = [(place, base) for place in places for base in range(4) if not own[place, base] and place < objective.end]
    for batch in _batches(changes, objective.end):
        rows, starts = _branches(ids_L, batch, objective.end, base_ids)
        x_NSD = network.branch(rows, starts, cache, layers=(last,), logits=False).hidden[last]
        after_NS4 = F.linear(x_NSD, head).float().log_softmax(-1)
        for row, (place, base) in enumerate(batch):
            later = slice(max(place + 1, objective.first), objective.end)
            change = 0.0
            if later.start < later.stop:
                told = after_NS4[row, later.start - 1 - place : later.stop - 1 - place]
                change += float((told * known_L4[later]).sum() - terms_L[later.start - 1 : later.stop - 1].sum())
            if objective.first <= place < objective.end:
                change += float(reference_L4[place - 1, base] - terms_L[place - 1])
            effects[place - window.start, base] = change
    return effects


def _batches(changes: Sequence[tuple[int, int]], end: int) -> list[list[tuple[int, int]]]:
    """Substitutions side by side."""
    batches: list[list[tuple[int, int]]] = []
    room = 0
    for place, base in changes:
        if room < 1:
            batches.append([])
            room = max(1, _BRANCH_TOKENS // max(1, end - place))
        batches[-1].append((place, base))
        room -= 1
    return batches


def _branches(
    ids_L: Tensor, batch: Sequence[tuple[int, int]], end: int, base_ids: tuple[int, ...]
) -> tuple[Tensor, list[int]]:
    """The substituted base and what follows it up to the objective's last but one base, padded on the right."""
    longest = max(max(1, end - 1 - place) for place, _ in batch)
    rows = ids_L.new_full((len(batch), longest), base_ids[0])
    for row, (place, base) in enumerate(batch):
        tail = ids_L[place + 1 : max(place + 1, end - 1)]
        rows[row, 0] = base_ids[base]
        rows[row, 1 : 1 + len(tail)] = tail
    return rows, [place for place, _ in batch]
