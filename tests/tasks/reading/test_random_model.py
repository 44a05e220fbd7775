"""Untrained copies of models: same architecture and card, weights determined by the seed."""

import pytest
import torch

import genolm
from genolm.models.networks.encoder_config import EncoderConfig
from genolm.models.networks.random_weights import random_network
from genolm.tasks.reading.random_model import untrained_copy


@pytest.mark.parametrize("name", ["tiny-random", "tiny-random-dense", "tiny-random-gengram"])
def test_a_twin_has_the_shape_and_other_weights(name):
    model = genolm.load(name, device="cpu")
    twin, again, other = untrained_copy(model, 7), untrained_copy(model, 7), untrained_copy(model, 8)
    assert twin.config == model.config and twin.card.context == model.card.context
    assert twin.card.name == f"{name} (random weights)" and model.card.name == name
    assert twin.fingerprint == again.fingerprint
    assert len({twin.fingerprint, other.fingerprint, model.fingerprint}) == 3


def test_biases_of_encoders_lie_around_zero():
    network = random_network(EncoderConfig(vocab_size=40, hidden_size=64, num_layers=2, num_heads=4, ffn_size=128), 1)
    weights = {name: weight.detach() for name, weight in network.named_parameters()}
    biases = torch.cat([weight.flatten() for name, weight in weights.items() if name.endswith("bias")])
    gains = torch.cat([weight for name, weight in weights.items() if weight.ndim == 1 and name.endswith("norm.weight")])
    assert abs(float(biases.mean())) < 0.05 < float(biases.abs().mean())
    assert abs(float(gains.mean()) - 1) < 0.1
