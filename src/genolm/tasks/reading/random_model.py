"""A model with random weights in place of its own: what its architecture and its tokenizer give without training."""

from __future__ import annotations

from dataclasses import replace

import torch

from genolm.models.model import Model
from genolm.models.networks.network import LAYOUT
from genolm.models.networks.random_weights import random_network

NAME = "random weights"


def random_twin(model: Model, seed: int) -> Model:
    """A model of the same shape, tokenizer and card whose weights depend on ``seed``, their names and shapes only.

    Block layouts of sparse attention, which are not trained, stay those of the model. The twin takes as much memory as
    the model.
    """
    network = random_network(model.config, seed, model.tokenizer.base_ids, model.tokenizer.n_id)
    layouts = dict(network.named_buffers())
    with torch.no_grad():
        for name, layout in model.network.named_buffers():
            if name.endswith(f".{LAYOUT}"):
                layouts[name].copy_(layout)
    network.to(device=model.device, dtype=model.dtype)
    return Model(network, model.tokenizer, replace(model.card, name=f"{model.card.name} ({NAME})"))
