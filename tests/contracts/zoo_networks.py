"""Every network of the zoo, at a size that runs in milliseconds, with random weights."""

from genolm.models.card import Card
from genolm.models.model import Model
from genolm.models.random_weights import random_decoder
from genolm.models.zoo import ZOO
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.recipe import Recipe


def zoo_config(name):
    """The shape of a zoo entry; that of a model which the package trains itself stands in its recipe."""
    return ZOO[name].config or Recipe.load(name).model


def random_network(name):
    return random_decoder(zoo_config(name).shrunk(), seed=7)


def model_of(network):
    return Model(network, NucleotideTokenizer(), Card("contract", context=network.config.max_positions))
