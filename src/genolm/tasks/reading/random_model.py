"""Untrained copies of models: the same architecture and tokenizer with random weights."""

from __future__ import annotations

from dataclasses import replace

import torch

from genolm.models.model import Model
from genolm.models.networks.network import LAYOUT
from genolm.models.networks.random_weights import random_network

NAME = "random weights"


def untrained_copy(model: Model, seed: int) -> Model:
    """Return a model of the same architecture, tokenizer and card with random weights.

    The weights depend only on ``seed`` and on their names and shapes. The block layouts of sparse attention, which are
    not trained, are those of the model. The copy takes as much memory as the model.
    """
    network = random_network(model.config, seed, model.tokenizer.base_ids, model.tokenizer.n_id)
    layouts = dict(network.named_buffers())
    with torch.no_grad():
        for name, layout in model.network.named_buffers():
            if name.endswith(f".{LAYOUT}"):
                layouts[name].copy_(layout)
    network.to(device=model.device, dtype=model.dtype)
    return Model(network, model.tokenizer, replace(model.card, name=f"{model.card.name} ({NAME})"))
