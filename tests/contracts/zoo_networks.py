"""Small untrained models of all architectures in the zoo."""

from dataclasses import replace

from genolm.models.card import Card
from genolm.models.model import Model
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.encoder_config import EncoderConfig
from genolm.models.networks.random_weights import random_network as random_weights
from genolm.models.zoo.tiny_entries import GENA_PIECES, OCEAN_PIECES
from genolm.models.zoo.zoo import ZOO
from genolm.tokens.bpe import BpeTokenizer
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.tokens.tokenizer import CLS, SEP
from genolm.training.recipes.pretrain_recipe import Recipe


def zoo_config(name):
    """Return the config of a zoo entry; for a model trained by this package, that of its recipe."""
    return ZOO[name].config or Recipe.load(name).model


def _architectures(kind):
    """Return the first entry of each distinct shape after shrinking; tiny models share the shape of published ones."""
    found = {}
    for name in sorted(ZOO):
        config = zoo_config(name)
        if isinstance(config, kind) and ZOO[name].vocabulary is None:
            found.setdefault(config.shrunk(), name)
    return sorted(found.values())


DECODERS = _architectures(DecoderConfig)
ENCODERS = _architectures(EncoderConfig)


def random_network(name):
    return random_weights(zoo_config(name).shrunk(), seed=7).eval()


def random_token_network(name):
    """Return the number of tokens of the tiny vocabularies, plus the entry's extra rows."""
    config = zoo_config(name).shrunk()
    if isinstance(config, EncoderConfig) and config.token_rows:
        config = replace(config, vocab_size=144, token_rows=128)
    return random_weights(config, seed=7).eval()


def model_of(network):
    """Return a model with single-base tokens."""
    return Model(network, NucleotideTokenizer(), Card("contract", context=network.config.max_positions))


def token_model_of(network):
    """Return a model with multi-base tokens and the special tokens of its training."""
    causal = isinstance(network.config, DecoderConfig)
    tokenizer = BpeTokenizer.read(OCEAN_PIECES if causal else GENA_PIECES)
    objective = "causal" if causal else "masked"
    context = network.config.max_positions
    return Model(network, tokenizer, Card("contract", context=context, objective=objective, begin=(CLS,), end=(SEP,)))
